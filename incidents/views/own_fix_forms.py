"""The form of a person's own fix: choices from the evidence on the one side, typed actions on the other."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from incidents.queries.own_fix import Material
from incidents.values import BadActions

MOST_EDITS = 10
LONGEST_TEXT = 20_000
CODE = {"rows": 5, "class": "mono", "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}


class EditForm(forms.Form):
    """One replacement in one file; a row that is left as it was counts for nothing."""

    path = forms.ChoiceField(required=False, label="File")
    old = forms.CharField(
        required=False,
        strip=False,
        max_length=LONGEST_TEXT,
        label="Text to replace",
        widget=forms.Textarea(CODE),
        help_text="Exactly as it stands in the file, and enough of it to stand there only once.",
    )
    new = forms.CharField(
        required=False,
        strip=False,
        max_length=LONGEST_TEXT,
        label="New text",
        widget=forms.Textarea(CODE),
        help_text="Empty: the text is taken out.",
    )

    def __init__(self, *args: Any, files: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        path = self.fields["path"]
        assert isinstance(path, forms.ChoiceField)  # noqa: S101 - narrows the type for mypy
        path.choices = [("", "Choose a file"), *((name, name) for name in files)]

    def clean(self) -> dict[str, Any]:
        """Say what of an edit is missing; browsers send line ends that no file has."""
        given = super().clean() or {}
        for name in ("old", "new"):
            given[name] = given.get(name, "").replace("\r\n", "\n")
        wanted = bool(given["old"] or given["new"])
        if wanted and not given.get("path") and "path" not in self.errors:
            self.add_error("path", "Choose the file in which this text stands.")
        if given["new"] and not given["old"] and "old" not in self.errors:
            self.add_error("old", "Give the text that is to be replaced.")
        return given

    @property
    def action(self) -> dict[str, Any] | None:
        """Return the typed action, None when nothing was asked for or the suggested text stands as it was."""
        given = {name: self.cleaned_data.get(name) or "" for name in ("path", "old", "new")}
        untouched = given == {"path": "", "old": "", "new": "", **(self.initial or {})}
        return {"kind": "edit", **given} if given["old"] and not untouched else None


EditFormSet = forms.formset_factory(
    EditForm, extra=1, max_num=MOST_EDITS, absolute_max=MOST_EDITS, validate_max=True
)


class OwnFixForm(forms.Form):
    """What is put back, whether only a restart is wanted, and why."""

    hunks = forms.MultipleChoiceField(required=False, label="Put back")
    names = forms.MultipleChoiceField(required=False, label="Environment variables to put back")
    restart = forms.BooleanField(required=False, label="Restart the service")
    reason = forms.CharField(
        max_length=2000,
        label="Why this helps",
        widget=forms.Textarea({"rows": 3}),
        help_text="Whoever approves reads this.",
    )

    def __init__(
        self, data: QueryDict | None, *, material: Material, said: QueryDict | None = None
    ) -> None:
        """Offer what there is to choose; `said` is a draft to go on with, which is not judged yet."""
        super().__init__(data, initial=_draft(said), auto_id="own-fix-%s")
        self.material = material
        self._put_back = {
            **{f"file:{file.path}": file.path for file in material.changed},
            **{hunk[0]: file.path for file in material.changed for hunk in file.hunks},
        }
        for name, known in (("hunks", self._put_back), ("names", material.names)):
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - as above
            field.choices = [(one, one) for one in known]
        path, text = material.suggested
        suggested = [{"path": path, "old": text, "new": text}] if path else []
        initial = _rows(said) if said is not None else suggested
        self.edits = EditFormSet(
            data, prefix="edit", initial=initial, form_kwargs={"files": material.files}
        )
        self.edits.extra = 1 if said is not None or not initial else 0
        self.sources: list[tuple[forms.Form, str]] = []
        ticked = data if data is not None else said
        self.picked = {*ticked.getlist("hunks"), *ticked.getlist("names")} if ticked else set()

    def is_valid(self) -> bool:
        """Check all parts, so that every message shows at once."""
        parts = [super().is_valid(), self.edits.is_valid()]
        if all(parts) and not self.actions():
            self.add_error(
                None, "Choose at least one change: put something back, edit, or restart."
            )
        return all(parts) and not self.errors

    def actions(self) -> list[dict[str, Any]]:
        """Return the typed actions in order, and remember which field each came from."""
        found: list[tuple[dict[str, Any], forms.Form, str]] = [
            (action, self, "hunks") for action in self._reverts()
        ]
        if self.cleaned_data["names"]:
            names = {"kind": "revert_env", "names": self.cleaned_data["names"]}
            found.append((names, self, "names"))
        for edit in self.edits:
            if edit.action:
                found.append((edit.action, edit, "old"))
        if self.cleaned_data["restart"]:
            found.append(({"kind": "restart"}, self, "restart"))
        self.sources = [(form, field) for _, form, field in found]
        return [action for action, _, _ in found]

    def _reverts(self) -> list[dict[str, Any]]:
        """Return one action a file; the whole file when that is ticked, else the ticked changes of it."""
        by_path: dict[str, list[str]] = {}
        for picked in self.cleaned_data["hunks"]:
            by_path.setdefault(self._put_back[picked], []).append(picked)
        return [
            {"kind": "revert", "path": path, "hunks": [] if f"file:{path}" in picked else picked}
            for path, picked in by_path.items()
        ]

    def blame(self, refused: BadActions) -> None:
        """Put a refusal next to the field that the refused action came from."""
        form: forms.Form = self
        field = None
        if refused.index is not None and refused.index < len(self.sources):
            form, field = self.sources[refused.index]
        form.add_error(field, str(refused))


def _draft(said: QueryDict | None) -> dict[str, Any]:
    if said is None:
        return {}
    return {"restart": "restart" in said, "reason": said.get("reason", "")}


def _rows(said: QueryDict) -> list[dict[str, str]]:
    """Return the edits of a draft, each row as it was typed."""
    names = [
        {name: f"edit-{number}-{name}" for name in ("path", "old", "new")}
        for number in range(MOST_EDITS)
    ]
    return [
        {name: said.get(field, "") for name, field in row.items()}
        for row in names
        if any(field in said for field in row.values())
    ]
