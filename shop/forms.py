"""What a shopper types: checked as the shop checks it, so that a refusal comes before the purchase."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.validators import RegexValidator

COUNTRIES = {
    "AT": "Austria",
    "BE": "Belgium",
    "CH": "Switzerland",
    "DE": "Germany",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "IT": "Italy",
    "NL": "Netherlands",
    "US": "United States",
}
CARDS = (
    ("tok_ok", "Test card ending 4242, is approved"),
    ("tok_declined", "Test card ending 0002, is declined"),
    ("tok_slow", "Test card ending 0119, its bank does not answer"),
)
_email = RegexValidator(
    r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$", "Enter an address like name@example.com."
)


def _printable(value: str) -> None:
    # Django itself names a null byte: one message a fault.
    letters = (letter for letter in value if letter != "\0")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in letters):
        raise forms.ValidationError("Please leave out control characters.")


def _line(label: str, longest: int, autocomplete: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=longest, widget=widget, validators=[_printable])


class CustomerForm(forms.Form):
    """Name and e-mail address."""

    name = _line("Full name", 100, "name")
    email = forms.CharField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        validators=[_email, _printable],
    )


class CheckoutForm(CustomerForm):
    """Who buys, where it goes and how it is paid."""

    line1 = _line("Street and number", 200, "address-line1")
    postcode = _line("Postcode", 20, "postal-code")
    city = _line("City", 100, "address-level2")
    country = forms.ChoiceField(label="Country")
    gift_wrap = forms.BooleanField(label="Wrap as a gift", required=False)
    card = forms.ChoiceField(label="Pay with", choices=CARDS, initial="tok_ok")

    def __init__(self, *args: Any, rules: Mapping[str, Any], **kwargs: Any) -> None:
        """Offer the countries that the shop delivers to, and gift wrap when it has it."""
        super().__init__(*args, **kwargs)
        codes = sorted(
            rules.get("tax_rates") or {"DE": 0}, key=lambda code: COUNTRIES.get(code, code)
        )
        country = self.fields["country"]
        assert isinstance(country, forms.ChoiceField)  # noqa: S101 - narrows for mypy
        country.choices = [(code, COUNTRIES.get(code, code)) for code in codes]
        if not (rules.get("features") or {}).get("gift_wrap", True):
            del self.fields["gift_wrap"]

    def purchase(self, items: list[dict[str, Any]], user_id: str) -> dict[str, Any]:
        """Return the purchase as the shop's API takes it, without the total."""
        typed = self.cleaned_data
        names = ("line1", "city", "postcode", "country")
        body: dict[str, Any] = {
            "items": items,
            "address": {name: typed[name] for name in names},
            "gift_wrap": typed.get("gift_wrap", False),
            "payment": {"method": "test_card", "token": typed["card"]},
        }
        if user_id:
            body["user_id"] = user_id
        else:
            body["customer"] = {"name": typed["name"], "email": typed["email"]}
        return body
