"""The forms of one's own notification settings."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents import providers
from incidents.models import NEVER, Kind, NotificationChannel, NotificationPreference
from incidents.ports import AnnounceError
from incidents.values import Severity

CHOICES = [
    (Severity.LOW.value, "Everything"),
    (Severity.MEDIUM.value, "From medium"),
    (Severity.HIGH.value, "From high"),
    (Severity.CRITICAL.value, "From critical"),
    (Severity.BLOCKER.value, "Blockers only"),
]
CHOOSABLE = [kind for kind in Kind if kind != Kind.TEST]
SWITCHED_OFF = (NEVER, "Not at all")


class PreferenceForm(forms.Form):
    """What one wants to hear of, and when not."""

    quiet_from = forms.TimeField(required=False, widget=forms.TimeInput({"type": "time"}))
    quiet_until = forms.TimeField(required=False, widget=forms.TimeInput({"type": "time"}))

    def __init__(self, data: Any = None, *, row: NotificationPreference) -> None:
        """Have one choice a kind, and start from what is stored."""
        initial = {"quiet_from": row.quiet_from, "quiet_until": row.quiet_until}
        super().__init__(data, initial=initial)
        self.row = row
        for kind in CHOOSABLE:
            choices = [*CHOICES, SWITCHED_OFF] if kind == Kind.OPENED else CHOICES
            self.fields[kind.value] = forms.ChoiceField(
                choices=choices, label=kind.label, initial=row.lowest_of(kind)
            )

    @property
    def kinds(self) -> list[forms.BoundField]:
        """Return the choices by kind."""
        return [self[kind.value] for kind in CHOOSABLE]

    def clean(self) -> dict[str, Any]:
        """Refuse quiet hours with one end only."""
        given = super().clean() or {}
        if (given.get("quiet_from") is None) != (given.get("quiet_until") is None):
            raise forms.ValidationError("Quiet hours need a beginning and an end, or neither.")
        return given

    def store(self) -> None:
        """Write what was chosen."""
        chosen = self.cleaned_data
        self.row.lowest = {kind.value: chosen[kind.value] for kind in CHOOSABLE}
        self.row.quiet_from, self.row.quiet_until = chosen["quiet_from"], chosen["quiet_until"]
        self.row.save()


class ReachForm(forms.Form):
    """What goes to an own address."""

    lowest = forms.ChoiceField(required=False, choices=CHOICES, label="How bad it has to be")
    kinds = forms.MultipleChoiceField(
        required=False,
        choices=[(kind.value, kind.label) for kind in CHOOSABLE],
        label="What goes there",
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: everything that you are told.",
    )

    def reach(self, channel: NotificationChannel) -> NotificationChannel:
        """Write what was chosen into the row."""
        channel.lowest = self.cleaned_data["lowest"] or Severity.LOW
        channel.kinds = self.cleaned_data["kinds"]
        return channel


class OwnChannelForm(ReachForm):
    """A contact address of one's own. It is checked by what will send to it."""

    name = forms.CharField(max_length=80, label="What is it?")
    address = forms.CharField(
        max_length=1000,
        label="Address",
        help_text="An e-mail address, or as Apprise writes it, e.g. ntfys://ntfy.sh/your-topic. "
        "It is stored encrypted and never shown again.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("name", "address", "lowest", "kinds")

    def clean_address(self) -> str:
        """Refuse what may not be a channel, in the words of the announcer."""
        address: str = self.cleaned_data["address"].strip()
        try:
            self.shown = providers.announcer().check(address)
        except AnnounceError as error:
            raise forms.ValidationError(str(error)) from error
        return address

    def made(self, channel: NotificationChannel) -> NotificationChannel:
        """Fill the channel with what was given."""
        channel.name = self.cleaned_data["name"]
        channel.set_address(self.cleaned_data["address"], shown=self.shown)
        return self.reach(channel)
