"""The records of an incident: one row a step, written before the next step starts."""

from __future__ import annotations

from incidents.models.agent import AgentState
from incidents.models.change import Decision, Deployment, Fix, SafetyReview, Trial
from incidents.models.conversation import AgentRun, ModelExchange
from incidents.models.incident import Comment, Incident, LostLease, TimelineEntry
from incidents.models.knowledge import ClearanceReport, LearningRecord, Notification
from incidents.models.study import Diagnosis, Evidence

__all__ = [
    "AgentRun",
    "AgentState",
    "ClearanceReport",
    "Comment",
    "Decision",
    "Deployment",
    "Diagnosis",
    "Evidence",
    "Fix",
    "Incident",
    "LearningRecord",
    "LostLease",
    "ModelExchange",
    "Notification",
    "SafetyReview",
    "TimelineEntry",
    "Trial",
]
