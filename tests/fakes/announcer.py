"""An announcer that keeps what it was given and fails as scripted."""

from __future__ import annotations

from typing import Any

from incidents.ports import AnnounceError


class FakeAnnouncer:
    """Delivers to a list. `failures` are raised first, one a call; addresses that start with `bad:` are refused."""

    name = "fake"

    def __init__(self, *failures: AnnounceError) -> None:
        """Begin with nothing sent."""
        self.sent: list[dict[str, Any]] = []
        self.failures = list(failures)

    def check(self, address: str) -> str:
        """Mask everything behind the scheme."""
        if address.startswith("bad:"):
            raise AnnounceError("This may be no channel.", permanent=True)
        return f"{address.partition('://')[0]}://…/…"

    def announce(self, *, address: str, title: str, body: str, link: str, severity: str) -> None:
        """Keep the message, or fail as scripted."""
        self.check(address)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(
            {"address": address, "title": title, "body": body, "link": link, "severity": severity}
        )
