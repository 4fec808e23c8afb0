"""The services part of the API: reads from queries, one domain call each for what people do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.text import slugify
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict

from monitoring import configuration, queries
from monitoring.faults import injection
from monitoring.models import Service
from monitoring.ports import TargetError
from teams import audit, tokens
from teams.roles import Verb

router = Router(tags=["services"])
Refusal = dict[str, Any]


class Settings(Schema):
    """What can be changed of a service; only what is given is changed."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=80)
    runtime: str | None = None
    directory: str | None = None
    command: list[str] | None = None
    host: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    health_path: str | None = None
    environment: dict[str, str] | None = None
    editable_globs: list[str] | None = None
    data_globs: list[str] | None = None
    smoke_requests: list[dict[str, Any]] | None = None
    invariants: list[dict[str, Any]] | None = None
    redact_fields: list[str] | None = None
    repository_url: str | None = None
    repository_branch: str | None = None
    interval: float | None = Field(None, ge=0.5, le=86400)
    timeout: float | None = Field(None, ge=0.1, le=configuration.LONGEST_TIMEOUT)
    slow_ms: float | None = Field(None, gt=0)
    deep_every: int | None = Field(None, ge=1)
    failures_before_incident: int | None = Field(None, ge=1, le=100)
    successes_before_recovery: int | None = Field(None, ge=1, le=100)
    healthy_before_snapshot: int | None = Field(None, ge=1, le=100)
    autonomy: str | None = None
    auto_ceiling: str | None = None
    auto_threshold: float | None = Field(None, ge=0, le=1)
    escalation_threshold: float | None = Field(None, ge=0, le=1)
    limit_per_fingerprint: int | None = Field(None, ge=0)
    limit_per_service: int | None = Field(None, ge=0)
    watch_seconds: float | None = Field(None, ge=0)
    enabled: bool | None = None
    paused: bool | None = None
    maintenance_until: datetime | None = None
    stop_with_agentops: bool | None = None


class NewService(Settings):
    """A new service: at least its name, directory, command, port and the files that a fix may change."""

    name: str = Field(..., min_length=1, max_length=80)
    slug: str = Field("", pattern=r"^[a-z0-9-]*$", max_length=40)
    directory: str
    command: list[str]
    port: int = Field(..., ge=1, le=65535)
    editable_globs: list[str]


@router.get("/services", response=dict[str, Any])
def services(request: HttpRequest, before: int | None = None) -> dict[str, Any]:
    """List services, newest first; `next` is the `before` of the next page."""
    tokens.require(request, Verb.VIEW)
    rows = list(queries.listed(before=before)[: queries.PAGE + 1])
    shown = rows[: queries.PAGE]
    return {
        "items": [queries.brief(row) for row in shown],
        "next": shown[-1].pk if len(rows) > queries.PAGE else None,
    }


@router.get("/services/{slug}", response=dict[str, Any])
def service(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Show one service: how it is now, what it is, its last known good, and its policy."""
    tokens.require(request, Verb.VIEW, service=slug)
    return _whole(slug)


@router.post("/services", response={201: dict[str, Any], 422: Refusal})
def add_service(request: HttpRequest, given: NewService) -> Status[dict[str, Any]]:
    """Register a service; it is probed at once. 422 names what is wrong, field by field."""
    person = tokens.require(request, Verb.CONFIGURE)
    fields = _given(given)
    fields["slug"] = given.slug or slugify(given.name)[:40]
    try:
        made = configuration.create(
            fields=fields, actor=person, now=timezone.now(), origin=audit.origin_of(request, "api")
        )
    except configuration.BadConfiguration as error:
        return Status(422, {"detail": str(error), "errors": error.problems})
    return Status(201, _whole(made.slug))


@router.patch("/services/{slug}", response={200: dict[str, Any], 422: Refusal})
def change_service(request: HttpRequest, slug: str, given: Settings) -> Status[dict[str, Any]]:
    """Change what is given of a service. 422 names what is wrong, and nothing is changed then."""
    person = tokens.require(request, Verb.CONFIGURE, service=slug)
    found = _found(slug)
    try:
        configuration.change(
            found,
            fields=_given(given),
            actor=person,
            now=timezone.now(),
            origin=audit.origin_of(request, "api"),
        )
    except configuration.BadConfiguration as error:
        return Status(422, {"detail": str(error), "errors": error.problems})
    return Status(200, _whole(slug))


class Order(Schema):
    """Which fault is wanted: `bug`, `slow`, `crash`, `bad_config` or another of the catalogue."""

    fault: str = Field(..., max_length=40)


@router.post("/services/{slug}/faults", response={201: dict[str, Any], 409: Refusal, 422: Refusal})
def inject_fault(request: HttpRequest, slug: str, order: Order) -> Status[dict[str, Any]]:
    """Break a demo service on purpose, at once and for real. 422 lists the known faults, 409 says why not now."""
    person = tokens.require(request, Verb.INJECT_FAULT, service=slug)
    found = _found(slug)
    try:
        made = injection.inject(service=found, fault=order.fault, actor=person, now=timezone.now())
    except injection.UnknownFault as error:
        return Status(422, {"detail": str(error)})
    except (injection.FaultRefused, TargetError) as error:
        return Status(409, {"detail": str(error)})
    return Status(201, {"id": made.pk, "service": slug, "fault": made.fault, "at": made.at})


@router.post("/services/{slug}/restore", response={200: dict[str, Any], 409: Refusal})
def restore(request: HttpRequest, slug: str) -> Status[dict[str, Any]]:
    """Take every fault out of a demo service and start it again."""
    person = tokens.require(request, Verb.RESTORE, service=slug)
    found = _found(slug)
    try:
        count = injection.restore(service=found, actor=person, now=timezone.now())
    except (injection.FaultRefused, TargetError) as error:
        return Status(409, {"detail": str(error)})
    return Status(200, {"service": slug, "restored": count})


def _given(given: Settings) -> dict[str, Any]:
    """Return what the caller named; null only means something for `maintenance_until`: no window."""
    named = given.model_dump(exclude_unset=True, exclude={"slug"})
    return {
        name: value
        for name, value in named.items()
        if value is not None or name == "maintenance_until"
    }


def _found(slug: str) -> Service:
    found = queries.listed().filter(slug=slug).first()
    if found is None:
        raise Http404(f"There is no service {slug!r}.")
    return found


def _whole(slug: str) -> dict[str, Any]:
    return queries.whole(_found(slug))
