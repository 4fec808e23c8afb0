"""A summariser that returns what it was told, or fails as it was told."""

from __future__ import annotations

from agentops_site.summary_port import SummaryError


class FakeSummariser:
    """Implements `Summariser`; the class holds the script, for it is made anew by its dotted path."""

    name = "fake"
    words = "Customers cannot pay at the moment, and somebody has to look."
    error = ""

    def summarise(self, facts: str) -> str:
        """Return the words."""
        if self.error:
            raise SummaryError(self.error)
        return self.words
