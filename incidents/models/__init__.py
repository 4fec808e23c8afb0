"""The records of an incident: one row a step, written before the next step starts."""

from __future__ import annotations

from incidents.models.agent import AgentState
from incidents.models.alerts import (
    NEVER,
    Delivery,
    Kind,
    NotificationChannel,
    NotificationPreference,
)
from incidents.models.change import Decision, Deployment, Fix, SafetyReview, Trial
from incidents.models.conversation import AgentRun, ModelExchange
from incidents.models.debt import Debt
from incidents.models.duty import Escalation, OnCall
from incidents.models.incident import Comment, Incident, LostLease, TimelineEntry
from incidents.models.knowledge import ClearanceReport, FollowUp, LearningRecord, Notification
from incidents.models.study import Diagnosis, Evidence

__all__ = [
    "NEVER",
    "AgentRun",
    "AgentState",
    "ClearanceReport",
    "Comment",
    "Debt",
    "Decision",
    "Delivery",
    "Deployment",
    "Diagnosis",
    "Escalation",
    "Evidence",
    "Fix",
    "FollowUp",
    "Incident",
    "Kind",
    "LearningRecord",
    "LostLease",
    "ModelExchange",
    "Notification",
    "NotificationChannel",
    "NotificationPreference",
    "OnCall",
    "SafetyReview",
    "TimelineEntry",
    "Trial",
]
