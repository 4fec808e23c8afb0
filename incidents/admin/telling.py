"""The console's pages of telling people: channels with a test, their log, and who is on call."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminPasswordToggleWidget, UnfoldAdminTextInputWidget

from incidents import providers
from incidents.admin.records import ReadOnly
from incidents.alerts import outbox
from incidents.models import Delivery, Kind, NotificationChannel, OnCall
from incidents.ports import AnnounceError
from teams.audited_admin import AuditedAdmin
from teams.cut import cut


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A channel with its address, which goes in and never comes out again."""

    address = forms.CharField(
        required=False,
        max_length=1000,
        help_text="As Apprise writes it. Stored encrypted, never shown; leave it empty to keep the one that is stored.",
        widget=UnfoldAdminPasswordToggleWidget(attrs={"autocomplete": "off"}, render_value=False),
    )
    chosen_kinds = forms.MultipleChoiceField(
        required=False,
        label="Kinds",
        choices=[(kind.value, kind.label) for kind in Kind if kind != Kind.TEST],
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: every kind.",
    )

    class Meta:
        model = NotificationChannel
        fields = ("name", "lowest", "per_minute", "enabled")
        widgets: ClassVar[dict[str, Any]] = {"name": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["chosen_kinds"].initial = self.instance.kinds

    def clean_address(self) -> str:
        """Refuse what may not be a channel, in the announcer's words."""
        address: str = (self.cleaned_data["address"] or "").strip()
        if not address and not self.instance.sealed_address:
            raise forms.ValidationError("A channel needs an address.")
        try:
            self.shown = providers.announcer().check(address) if address else ""
        except AnnounceError as error:
            raise forms.ValidationError(str(error)) from error
        return address

    def clean(self) -> dict[str, Any]:
        """Take the chosen kinds and the address over into the row."""
        given = super().clean() or {}
        self.instance.kinds = given.get("chosen_kinds", [])
        if given.get("address"):
            self.instance.set_address(given["address"], shown=self.shown)
        return given


@admin.register(NotificationChannel)
class ChannelAdmin(AuditedAdmin):
    """The team's ways outside. People keep their own on their settings page; managers do not see those."""

    form = ChannelForm
    audit_hidden: ClassVar[tuple[str, ...]] = ("sealed_address",)
    list_display = (cut("name"), cut("shown_address"), "lowest", "per_minute", "enabled")
    list_filter = ("enabled", "lowest")
    search_fields = ("name",)
    fields = ("name", "shown_address", "address", "chosen_kinds", "lowest", "per_minute", "enabled")
    readonly_fields = ("shown_address",)
    actions = ("send_test",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[NotificationChannel]:
        """Show the team's channels only."""
        found: QuerySet[NotificationChannel] = super().get_queryset(request)
        return found.filter(person=None)

    @admin.action(description="Send a test message", permissions=["change"])
    def send_test(self, request: HttpRequest, chosen: QuerySet[NotificationChannel]) -> None:
        """Queue a test message for each; how it went stands in the deliveries."""
        with transaction.atomic():
            for channel in chosen:
                outbox.post_test(channel, by=str(request.user))
                self._record(request, "tested", channel, None, {"shown": channel.shown_address})
        messages.success(request, "On their way; see the deliveries for how it went.")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    """Every message that went outside, or could not. People's own are theirs."""

    list_display = ("created_at", cut("channel"), cut("title"), "state", "attempts", "sent_at", cut("last_error"))  # fmt: skip
    list_filter = ("state", "kind", "channel", "created_at")
    list_select_related = ("channel",)
    search_fields = ("title", "last_error")
    ordering = ("-id",)
    actions = ("try_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Show the log of the team's channels."""
        found: QuerySet[Delivery] = super().get_queryset(request)
        return found.filter(channel__person=None)

    @admin.action(description="Try failed ones again")
    def try_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        """Put messages that were given up back into the outbox."""
        if not request.user.has_perm("incidents.change_notificationchannel"):
            messages.error(request, "Your role may not do this.")
            return
        failed = chosen.filter(state=Delivery.State.FAILED)
        count = failed.update(state=Delivery.State.WAITING, attempts=0, last_error="")
        messages.success(request, f"{count} will be tried again.")


@admin.register(OnCall)
class OnCallAdmin(AuditedAdmin):
    """Who is on call, in which order; each Monday the next one is first."""

    list_display = (cut("service", empty="every other service"), "position", "person")
    list_filter = ("service",)
    list_select_related = ("service", "person")
    autocomplete_fields = ("person", "service")
    search_fields = ("person__email", "person__display_name", "service__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OnCall]:
        """Show it in its order."""
        found: QuerySet[OnCall] = super().get_queryset(request)
        return found.order_by("service__name", "position", "id")
