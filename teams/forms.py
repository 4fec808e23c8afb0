"""The forms of one's own settings."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms

from teams.models import ApiToken, User


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """How a person is shown and in which zone times are told."""

    time_zone = forms.ChoiceField(help_text="Every time on the pages is told in this zone.")

    class Meta:
        model = User
        fields = ["display_name", "time_zone", "avatar_color"]
        widgets = {"avatar_color": forms.RadioSelect}
        labels = {"avatar_color": "Avatar colour"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = self.fields["time_zone"]
        assert isinstance(zones, forms.ChoiceField)  # noqa: S101 - narrows the type for mypy
        zones.choices = [(name, name.replace("_", " ")) for name in sorted(available_timezones())]


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a new token is for."""

    class Meta:
        model = ApiToken
        fields = ["name"]
        labels = {"name": "What is it for?"}
        help_texts = {"name": ""}
