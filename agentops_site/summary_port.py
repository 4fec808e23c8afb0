"""What a summary asks of a vendor; the adapter is named by `settings.SUMMARISER`, empty for none."""

from __future__ import annotations

from typing import Protocol

from incidents.ports import PortError


class SummaryError(PortError):
    """There are no words of a vendor's; the built-in ones are read."""


class Summariser(Protocol):
    """Puts facts into words for people who do not write software."""

    name: str

    def summarise(self, facts: str) -> str:
        """Return the facts in a few plain sentences; raise `SummaryError` when there are none.

        `facts` hold no secrets. What comes back is a model's text: the caller checks it against the facts.
        """
