"""What people type on the incident pages."""

from __future__ import annotations

from django import forms

from incidents.queries.listing import GROUPS, SORTS
from incidents.values import Severity


class FilterForm(forms.Form):
    """The filter of the list as it stands in the address; what is not known counts as not given."""

    group = forms.ChoiceField(choices=GROUPS, required=False)
    service = forms.SlugField(max_length=40, required=False)
    severity = forms.ChoiceField(choices=[(s, s) for s in Severity], required=False)
    q = forms.CharField(max_length=200, required=False)
    sort = forms.ChoiceField(choices=SORTS, required=False)
    page = forms.IntegerField(min_value=1, max_value=10_000, required=False)


class CommentForm(forms.Form):
    """A contribution to the discussion."""

    text = forms.CharField(max_length=5000, label="Comment", widget=forms.Textarea({"rows": 3}))


class DeedForm(forms.Form):
    """What comes with a decision; which of it is needed, the pipeline says."""

    fix_digest = forms.CharField(max_length=64, required=False)
    reason = forms.CharField(max_length=2000, required=False)
    person = forms.IntegerField(required=False)
