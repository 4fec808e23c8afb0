"""The structured answer that ends a conversation: its schema, our own check of it, and the drafts it becomes.

Nothing in an answer is believed: places have to exist, actions have to be of the known kinds, an edit may keep a
secret where it stands but not carry it elsewhere, and texts for people lose control characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from agentops_site.integrations.claude import form
from agentops_site.integrations.claude.form import Strict
from incidents.engine.redaction import Redactor
from incidents.values import (
    Action,
    BadActions,
    Category,
    DiagnosisDraft,
    Edit,
    EvidencePack,
    FixDraft,
    actions_from_json,
)

AUTHOR = "Claude"
MAX_EDIT_CHARACTERS = 200_000
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def _shape(kind: str, **properties: object) -> dict[str, object]:
    fields = {"kind": {"const": kind}, **properties}
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_TEXT: dict[str, object] = {"type": "string"}
_TEXTS: dict[str, object] = {"type": "array", "items": _TEXT}
ACTIONS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "description": "The actions of the fix, in order. An edit replaces `old`, which must stand exactly once in the file.",
    "items": {
        "anyOf": [
            _shape("edit", path=_TEXT, old=_TEXT, new=_TEXT),
            _shape("revert", path=_TEXT, hunks=_TEXTS),
            _shape("revert_env", names=_TEXTS),
            _shape("restart"),
        ]
    },
}


class DiagnosisPart(Strict):
    """What is wrong, where, and how sure the model is."""

    category: Category
    root_cause: str = Field(min_length=1, description="One or two exact sentences for an engineer.")
    file: str = Field(
        description="The file at fault, relative to the service; empty when there is none."
    )
    line: int | None = Field(description="The line at fault in the file as it is now, from 1.")
    plain: str = Field(
        description="The cause and its effect for somebody who does not write software."
    )
    analogy: str = Field(description="A comparison from daily life, or empty.")
    certainty: float = Field(ge=0, le=1, description="Your own confidence, 0 to 1.")
    cited: list[str] = Field(description="Ids of the evidence that shows it, such as E2.")
    ruled_out: list[str] = Field(
        description="Causes that you considered and excluded, each with why."
    )


class FixPart(Strict):
    """What to do about it."""

    actions: Annotated[list[dict[str, Any]], WithJsonSchema(ACTIONS_SCHEMA)]
    explanation: str = Field(
        description="What the fix changes and why, for somebody who does not write software."
    )
    risks: str = Field(description="What could go wrong with the fix.")
    not_seen: str = Field(description="What you could not see and would have wanted to.")


class Answer(Strict):
    """The end of the conversation. `fix` is null when no honest fix is known."""

    diagnosis: DiagnosisPart
    fix: FixPart | None


def schema() -> dict[str, Any]:
    """Return the answer's JSON schema in the form that the API accepts."""
    return form.schema_of(Answer)


def parse(text: str) -> Answer:
    """Return the checked answer; raise `VendorError` that names the first fault."""
    return form.checked(Answer, text)


def text_of(answer: Answer) -> str:
    """Return the answer as `parse` takes it again, in ASCII."""
    return json.dumps(answer.model_dump(mode="json"))


def diagnosis_of(answer: Answer, pack: EvidencePack, spent: Mapping[str, Any]) -> DiagnosisDraft:
    """Return the draft of the diagnosis; a file or line that does not exist is left out."""
    part = answer.diagnosis
    file = part.file if part.file in pack.current or part.file in (pack.last_good or {}) else ""
    lines = pack.current.get(file, b"").count(b"\n") + 1
    line = part.line if file and part.line is not None and 1 <= part.line <= lines else None
    return DiagnosisDraft(
        category=part.category,
        root_cause=_words(part.root_cause, 2_000),
        file=file,
        line=line,
        plain=_words(part.plain, 3_000),
        analogy=_words(part.analogy, 1_000),
        certainty=part.certainty,
        cited=tuple(_words(name, 20) for name in part.cited[:30]),
        ruled_out=tuple(_words(text, 400) for text in part.ruled_out[:20]),
        author=AUTHOR,
        spent=spent,
    )


def fix_of(answer: Answer, redactor: Redactor) -> FixDraft | None:
    """Return the draft of the fix, None when there is none; raise `BadActions` for what may not be tried."""
    part = answer.fix
    if part is None or not part.actions:
        return None
    not_seen = f" Not seen: {part.not_seen}" if part.not_seen.strip() else ""
    return FixDraft(
        actions=actions_of(part.actions, redactor),
        explanation=_words(part.explanation, 3_000) or "No explanation was given.",
        risks=_words(part.risks + not_seen, 3_000),
        author=AUTHOR,
    )


def actions_of(raw: list[dict[str, Any]], redactor: Redactor) -> tuple[Action, ...]:
    """Return typed actions with the secrets put back where they stood; raise `BadActions`."""
    return tuple(_restored(action, redactor) for action in actions_from_json(raw))


def _restored(action: Action, redactor: Redactor) -> Action:
    if not isinstance(action, Edit):
        return action
    if len(action.old) + len(action.new) > MAX_EDIT_CHARACTERS:
        raise BadActions(f"an edit of more than {MAX_EDIT_CHARACTERS} characters is no fix.")
    if redactor.placeholders(action.new) - redactor.placeholders(action.old):
        raise BadActions("an edit would write a secret to a place where it did not stand.")
    old, new = redactor.restore(action.old), redactor.restore(action.new)
    if set(_CONTROLS.findall(new)) - set(_CONTROLS.findall(old)):
        raise BadActions("an edit would write invisible or control characters.")
    return Edit(path=action.path, old=old, new=new)


def _words(text: str, limit: int) -> str:
    """Return text for people: placeholders stay, since a secret has no place in a report."""
    clean = _CONTROLS.sub("", text).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
