"""Putting faults into demo services, and taking them out, from the console's list of services."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from monitoring.faults.catalogue import all_faults
from monitoring.faults.injection import FaultRefused, inject, restore
from monitoring.models import Service
from monitoring.ports import TargetError
from teams.access import AccessRefused, may, require
from teams.models import User
from teams.roles import Verb


class FaultActions:
    """Adds an action for each fault of the catalogue, and one that takes all faults out, where the matrix allows it."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the faults beside the other actions."""
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        person = cast(User, request.user)
        if may(person, Verb.INJECT_FAULT).allowed:
            for fault in all_faults():
                act = partial(_each, verb=Verb.INJECT_FAULT, act=partial(inject, fault=fault.name))
                words = f"Put in the fault: {fault.title}"
                actions[f"inject_{fault.name}"] = (act, f"inject_{fault.name}", words)
        if may(person, Verb.RESTORE).allowed:
            act = partial(_each, verb=Verb.RESTORE, act=restore)
            actions["restore_service"] = (act, "restore_service", "Take all faults out")
        return actions


def _each(
    _admin: Any,
    request: HttpRequest,
    chosen: QuerySet[Service],
    *,
    verb: Verb,
    act: Callable[..., object],
) -> None:
    """Do one act to each service, and say for which it was refused and why."""
    person = cast(User, request.user)
    for service in chosen:
        try:
            require(person, verb, service=service.slug)
            act(service=service, actor=person, now=timezone.now())
        except (AccessRefused, FaultRefused, TargetError) as refused:
            messages.error(request, f"{service}: {refused}")
        else:
            messages.success(request, f"{service}: done.")
