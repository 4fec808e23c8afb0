"""The console's classes that other apps build theirs on: one audits every change, one lets nobody make any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeAlias, cast

from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from teams import audit
from teams.models import User

State: TypeAlias = dict[str, Any]
PLAIN = (str, int, float, bool, type(None), list, dict)


class NeverWritten:
    """Refuses every change: for rows that the product writes by itself. Put it before what else grants rights."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class AuditedAdmin(ModelAdmin):  # type: ignore[misc]
    """Writes each add, change and delete of the console to the audit trail, with what changed before and after.

    It hangs on the admin's own log hooks: every way to change a row (form, list, bulk delete) passes them, inside the
    transaction of the change. Fields named in `audit_hidden` are recorded as changed, never with their values.
    """

    audit_hidden: ClassVar[tuple[str, ...]] = ()

    def save_model(
        self,
        request: HttpRequest,
        obj: Model,
        form: ModelForm[Any],
        change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        """Store the row and remember what it was."""
        if change:
            stored = type(obj)._default_manager.get(pk=obj.pk)
            obj._audit_before = state_of(stored)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Record the new row."""
        self._record(request, "added", obj, None, state_of(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Record the fields that changed; a change without a form (a new password) with Django's own words."""
        before: State | None = getattr(obj, "_audit_before", None)
        if before is None:
            self._record(request, "changed", obj, None, {"change": str(message)})
        else:
            after = state_of(type(obj)._default_manager.get(pk=obj.pk))
            changed = [name for name, value in after.items() if before.get(name) != value]
            if changed:
                old, new = (
                    {name: state.get(name) for name in changed} for state in (before, after)
                )
                self._record(request, "changed", obj, old, new)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        """Record each row that is about to go."""
        for obj in queryset:
            self._record(request, "deleted", obj, state_of(obj), None)
        return super().log_deletions(request, queryset)

    def _record(
        self,
        request: HttpRequest,
        what: str,
        obj: Model,
        before: State | None,
        after: State | None,
    ) -> None:
        audit.record(
            actor=cast(User, request.user),
            verb=f"{obj._meta.model_name}.{what}",
            target=obj,
            before=self._hidden(before),
            after=self._hidden(after),
            origin=audit.origin_of(request, "admin"),
        )

    def _hidden(self, state: State | None) -> State | None:
        if state is None:
            return None
        return {
            name: audit.HIDDEN if name in self.audit_hidden and value else value
            for name, value in state.items()
        }


def state_of(obj: Model) -> State:
    """Return a row's columns and many-to-many names as JSON-like values."""
    state: State = {}
    for field in obj._meta.concrete_fields:
        value = field.value_from_object(obj)
        state[field.attname] = value if isinstance(value, PLAIN) else str(value)
    for many in obj._meta.many_to_many:
        state[many.name] = sorted(str(item) for item in many.value_from_object(obj))
    return state
