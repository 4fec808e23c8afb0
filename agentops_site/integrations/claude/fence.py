"""Marks what was collected as data. The mark is made anew for each conversation, so that no log line can close it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from html import escape

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Fence:
    """Wraps untrusted text in a tag whose name cannot be guessed."""

    mark: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def tag(self) -> str:
        """Return the name of the tag that holds data."""
        return f"untrusted-{self.mark}"

    def wrap(self, kind: str, text: str, **attributes: object) -> str:
        """Return the text between tags; control characters and the mark itself are taken out of it."""
        notes = "".join(f' {name}="{escape(str(value))}"' for name, value in attributes.items())
        body = _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n")).replace(self.mark, "")
        return f'<{self.tag} kind="{escape(kind)}"{notes}>\n{body}\n</{self.tag}>'
