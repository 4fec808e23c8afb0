"""The agent's freeze, as a manager sets it. Pausing and resuming is done on the dashboard, at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from incidents.models import AgentState
from teams.access import may
from teams.audited_admin import AuditedAdmin
from teams.cut import cut
from teams.models import User
from teams.roles import Verb


class FreezeForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses a freeze that is over before it begins: whoever set it would believe that it holds."""

    def clean_frozen_until(self) -> datetime | None:
        """Return the end, which lies ahead; one that was stored before may stay as it is."""
        until: datetime | None = self.cleaned_data["frozen_until"]
        if until and "frozen_until" in self.changed_data and until <= timezone.now():
            raise forms.ValidationError("This lies in the past: nothing would be frozen.")
        return until


@admin.register(AgentState)
class AgentStateAdmin(AuditedAdmin):
    """One row: a freeze that ends by itself. Whoever may pause the agent may freeze it."""

    form = FreezeForm
    fields = ("paused", "reason", "frozen_until", "changed_by", "changed_at")
    readonly_fields = ("paused", "changed_by", "changed_at")
    list_display = ("__str__", "frozen_until", cut("reason"), "changed_by", "changed_at")
    list_select_related = ("changed_by",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: there is one agent."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask the matrix."""
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask the matrix, once a request."""
        known: bool | None = getattr(request, "_may_pause", None)
        if known is None:
            person = cast(User, request.user)
            known = person.is_staff and may(person, Verb.PAUSE_AGENT).allowed
            request._may_pause = known  # type: ignore[attr-defined]
        return known

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the section."""
        return self.has_change_permission(request)

    def save_model(
        self,
        request: HttpRequest,
        obj: Any,
        form: Any,
        change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        """Store the freeze with who set it."""
        obj.changed_by, obj.changed_at = cast(User, request.user), timezone.now()
        super().save_model(request, obj, form, change)
