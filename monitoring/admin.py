"""The console's pages of services: a manager sets up what is watched; what was measured is read-only."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from monitoring import configuration, operations
from monitoring.fault_actions import FaultActions
from monitoring.models import (
    FaultInjection,
    HealthChange,
    RecordedExchange,
    Service,
    ServiceHealth,
    Snapshot,
)
from teams.access import may
from teams.audited_admin import AuditedAdmin, NeverWritten
from teams.cut import cut
from teams.models import User
from teams.roles import Verb


def _may_configure(request: HttpRequest) -> bool:
    """Ask the approval matrix, once a request: the console shows and stores nothing that the matrix refuses."""
    known: bool | None = getattr(request, "_may_configure", None)
    if known is None:
        person = cast(User, request.user)
        known = person.is_staff and may(person, Verb.CONFIGURE).allowed
        request._may_configure = known  # type: ignore[attr-defined]
    return known


class ByMatrix:
    """Lets into these pages of the console whoever may configure services."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the section."""
        return _may_configure(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show rows."""
        return _may_configure(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Add rows."""
        return _may_configure(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Change rows."""
        return _may_configure(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Delete rows."""
        return _may_configure(request)


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Checks the row as the API does, so that both say the same of the same mistake."""

    auto_ceiling = forms.ChoiceField(
        choices=[(name, name) for name in configuration.CEILINGS],
        help_text="The highest severity that may be fixed without a person.",
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Service
        fields = "__all__"  # noqa: DJ007 (the admin's fieldsets choose)
        labels: ClassVar[dict[str, str]] = {
            "is_demo": "Demo",
            "repository_url": "Repository URL",
            "slow_ms": "Slow from (ms)",
            "stop_with_agentops": "Stop with AgentOps",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "is_demo": "Faults may be injected.",
            "interval": "Seconds from check to check.",
            "timeout": "Seconds; no answer until then is a failure.",
            "watch_seconds": "So long after a deploy a relapse undoes it.",
        }

    def clean_maintenance_until(self) -> Any:
        """Refuse a window that is over before it begins: a manager with another clock would trust in it."""
        until = self.cleaned_data["maintenance_until"]
        if until and "maintenance_until" in self.changed_data and until <= timezone.now():
            raise forms.ValidationError("This time is past; a window ends later than now.")
        return until

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        for name, said in configuration.problems(self.instance).items():
            self.add_error(name if name in self.fields else None, said)


@admin.register(Service)
class ServiceAdmin(ByMatrix, FaultActions, AuditedAdmin):
    """Everything that a manager decides of a service."""

    form = ServiceForm
    audit_hidden: ClassVar[tuple[str, ...]] = ("environment",)
    list_display = (cut("name"), "state", "autonomy", "paused", "enabled", "maintenance_until")
    list_filter = ("enabled", "paused", "autonomy", "runtime")
    list_select_related = ("health",)
    search_fields = ("name", "slug", "directory")
    prepopulated_fields: ClassVar[dict[str, tuple[str, ...]]] = {"slug": ("name",)}
    actions = ("probe_now", "pause", "resume")
    fieldsets = (
        ("What it is", {"fields": ("name", "slug", "runtime", "host", "port", "repository_url", "repository_branch", "is_demo")}),
        ("How it is started", {"fields": ("directory", "command", "environment", "stop_with_agentops")}),
        ("What may change", {"fields": ("editable_globs", "data_globs", "redact_fields")}),
        ("How it is asked", {"fields": (
            "health_path", "interval", "timeout", "slow_ms", "smoke_requests", "invariants", "deep_every",
            "failures_before_incident", "successes_before_recovery", "healthy_before_snapshot",
        )}),
        ("What the agent may do", {"fields": (
            "autonomy", "auto_ceiling", "auto_threshold", "escalation_threshold", "limit_per_fingerprint",
            "limit_per_service", "watch_seconds",
        )}),
        ("Maintenance", {"fields": ("enabled", "paused", "maintenance_until")}),
    )  # fmt: skip

    @admin.display(description="health", ordering="health__state")
    def state(self, service: Service) -> str:
        """Show how it is now."""
        health = getattr(service, "health", None)
        return health.state if health else "unknown"

    def save_model(
        self,
        request: HttpRequest,
        obj: Any,
        form: Any,
        change: bool,  # noqa: FBT001 (as Django has it)
    ) -> None:
        """Store the row and ask the service at once."""
        super().save_model(request, obj, form, change)
        configuration.ensure_health(now=timezone.now())
        operations.request_probe(obj.pk, now=timezone.now(), deep=True)

    @admin.action(description="Ask now")
    def probe_now(self, request: HttpRequest, chosen: QuerySet[Service]) -> None:
        """Make the chosen services due now."""
        for service in chosen:
            operations.request_probe(service.pk, now=timezone.now(), deep=True)
        messages.success(request, f"{len(chosen)} asked.")

    @admin.action(description="Pause the agent here")
    def pause(self, request: HttpRequest, chosen: QuerySet[Service]) -> None:
        """Keep the agent from changing the chosen services."""
        self._set_paused(request, chosen, paused=True)

    @admin.action(description="Let the agent work here again")
    def resume(self, request: HttpRequest, chosen: QuerySet[Service]) -> None:
        """End the pause."""
        self._set_paused(request, chosen, paused=False)

    def _set_paused(self, request: HttpRequest, chosen: QuerySet[Service], *, paused: bool) -> None:
        person, done = cast(User, request.user), 0
        for service in chosen:
            ruling = may(person, Verb.CONFIGURE, service=service.slug)
            if not ruling.allowed:
                messages.error(request, f"{service.name}: {ruling.reason}")
                continue
            Service.objects.filter(pk=service.pk).update(paused=paused)
            self._record(
                request, "changed", service, {"paused": service.paused}, {"paused": paused}
            )
            done += 1
        messages.success(request, f"{done} {'paused' if paused else 'resumed'}.")


class ReadOnly(NeverWritten, ByMatrix, ModelAdmin):  # type: ignore[misc]
    """What was measured is looked at, never written by hand; pruning drops it by age."""


@admin.register(ServiceHealth)
class ServiceHealthAdmin(ReadOnly):
    """How each service is."""

    list_display = (cut("service"), "state", "since", "latency_ms", "last_probe_at", "next_due_at")
    list_filter = ("state",)
    list_select_related = ("service",)


@admin.register(HealthChange)
class HealthChangeAdmin(ReadOnly):
    """Every change of state, and whether its consumer has seen it."""

    list_display = (
        "at",
        cut("service"),
        "before",
        "after",
        cut("symptom"),
        "source",
        "consumed_at",
    )
    list_filter = ("after", "symptom", "service")
    list_select_related = ("service",)
    ordering = ("-id",)


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnly):
    """What was last known good, and when."""

    list_display = (cut("service"), "short_digest", cut("reason"), "created_at")
    list_select_related = ("service",)
    exclude = ("environment",)

    @admin.display(description="digest")
    def short_digest(self, snapshot: Snapshot) -> str:
        """Show enough of the digest to tell two apart."""
        return snapshot.digest[:12]


@admin.register(RecordedExchange)
class RecordedExchangeAdmin(ReadOnly):
    """The flight recorder's ring; bodies stay out of the list, for they are large."""

    list_display = (
        "at",
        cut("service"),
        "source",
        "method",
        cut("path"),
        "status",
        cut("failure"),
        "good",
    )
    list_filter = ("good", "source", "service")
    list_select_related = ("service",)
    exclude = ("body", "answer")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RecordedExchange]:
        """Leave the bodies in the database."""
        found: QuerySet[RecordedExchange] = super().get_queryset(request)
        return found.defer("body", "answer")


@admin.register(FaultInjection)
class FaultInjectionAdmin(ReadOnly):
    """What people broke on purpose."""

    list_display = ("at", cut("service"), "fault", "actor", "restored_at")
    list_select_related = ("service", "actor")
    exclude = ("kept",)
