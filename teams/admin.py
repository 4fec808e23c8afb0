"""The console's pages for people, rights, tokens and the audit trail."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm

from teams import audit, passwords, tokens
from teams.audited_admin import AuditedAdmin, NeverWritten
from teams.cut import cut
from teams.models import ApiToken, AuditEntry, MatrixRow, User
from teams.people import settle_role

admin.site.unregister(Group)


class PersonCreationForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new person, without a password: they choose one by a link that goes to their own mailbox."""

    class Meta:
        model = User
        fields = ("email",)

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - as Django has it
        """Make the person unable to sign in until they chose a password."""
        person: User = super().save(commit=False)
        person.set_unusable_password()
        if commit:
            person.save()
        return person


@admin.register(User)
class PersonAdmin(AuditedAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    """People and their roles. The role alone decides who enters the console.

    A manager never holds the key to somebody else's account, which could approve: neither password, nor the address
    to which the link for a new one goes, nor a token.
    """

    form = UserChangeForm
    add_form = PersonCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = (cut("email"), cut("display_name"), "role", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("email", "display_name")
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    actions = ("send_link",)
    fieldsets = (
        (None, {"fields": ("email", "role", "is_active")}),
        ("Shown as", {"fields": ("display_name", "avatar_color", "time_zone")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "display_name", "role", "time_zone")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Keep a manager from promoting or locking out themselves, and from sending another's link to their own mailbox."""
        fixed: tuple[str, ...] = self.readonly_fields
        if obj is not None and not request.user.is_superuser:
            fixed = (*fixed, "email")
        if obj is not None and obj.pk == request.user.pk:
            fixed = (*fixed, "role", "is_active")
        return fixed

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Keep a manager's hands off a superuser: a new password would be a way to become one."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,
        form_url: str = "",
    ) -> HttpResponse:
        """Refuse all but superusers: who sets a lead's password can approve as the lead."""
        if not request.user.is_superuser:
            raise PermissionDenied
        answer: HttpResponse = super().user_change_password(request, id, form_url)
        return answer

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: a person who left is made inactive, what they decided stays theirs."""
        return False

    def save_related(
        self,
        request: HttpRequest,
        form: ModelForm[User],
        formsets: Any,
        change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        """Give or take the console with the role."""
        super().save_related(request, form, formsets, change)
        settle_role(form.instance)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Record the new person, who gets the link to choose a password."""
        entry = super().log_addition(request, obj, message)
        self._send_link(request, cast(User, obj))
        return entry

    @admin.action(description="Send a link to choose a new password", permissions=["change"])
    def send_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Mail each of the chosen people the link; it goes to their own address."""
        for person in queryset:
            if self.has_change_permission(request, person):
                self._send_link(request, person)
            else:
                messages.error(request, f"{person} is not yours to change.")

    def _send_link(self, request: HttpRequest, person: User) -> None:
        if not passwords.send_link(request, person):
            messages.error(request, f"Too many links were asked for {person}; wait an hour.")
            return
        self._record(request, "link_sent", person, None, None)
        messages.success(request, f"A link to choose a password is on its way to {person.email}.")


@admin.register(Group)
class GroupAdmin(AuditedAdmin, DjangoGroupAdmin):
    """Groups of console permissions; for superusers."""


@admin.register(MatrixRow)
class MatrixRowAdmin(AuditedAdmin):
    """The approval matrix, global and for single services."""

    list_display = ("verb", "role", "up_to", "granted", cut("service_slug"))
    list_filter = ("role", "verb", "service_slug")
    search_fields = ("verb", "role", "service_slug")


@admin.register(ApiToken)
class ApiTokenAdmin(AuditedAdmin):
    """API tokens. One is made for oneself only: with another's, a manager could approve as the lead."""

    fields = ("name", "expires")
    list_display = (
        cut("name"),
        cut("person"),
        "prefix",
        "created",
        "last_used",
        "expires",
        "revoked",
    )
    list_filter = (("revoked", admin.EmptyFieldListFilter),)
    list_select_related = ("person",)
    search_fields = ("name", "person__email", "prefix")
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Refuse: a token is made and revoked, nothing else."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Refuse: a revoked token stays listed."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person may end tokens, of anybody."""
        return bool(request.user.has_perm("teams.change_apitoken"))

    def save_model(
        self,
        request: HttpRequest,
        obj: Model,
        form: ModelForm[Any],
        change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        """Make the token and show it this once."""
        token = cast(ApiToken, obj)
        token.person = cast(User, request.user)
        text = tokens.fill(token)
        super().save_model(request, obj, form, change)
        messages.warning(request, f"Copy the token now, it is not shown again: {text}")

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """End the chosen tokens at once."""
        actor, origin = cast(User, request.user), audit.origin_of(request, "admin")
        ended = [tokens.revoke(token, actor=actor, origin=origin) for token in queryset]
        messages.success(request, f"Revoked: {sum(ended)}.")


@admin.register(AuditEntry)
class AuditEntryAdmin(NeverWritten, ModelAdmin):  # type: ignore[misc]
    """The audit trail, to read."""

    list_display = ("sequence", "at", cut("actor"), "verb", cut("target"), "origin")
    list_filter = ("at",)
    search_fields = ("actor", "verb", "target")
    show_full_result_count = False
    list_per_page = 50
