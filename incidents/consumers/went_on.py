"""Looks for what no event told of: a publisher that lost the broker keeps silent, and a page must not stay old for that."""

from __future__ import annotations

from incidents.queries import listing, story


class WentOn:
    """Finds the incidents that went on lately, by the timeline and not by events; one query a look.

    Most of them were told of, and rendering those again sends nothing. Each look reaches back over two periods: an entry
    may be committed after one with a higher number was seen.
    """

    def __init__(self) -> None:
        """Start with nothing looked at."""
        self._marks: tuple[int, int] | None = None

    def look(self) -> set[int]:
        """Return the incidents with an entry since the look before the last one; none at the first look."""
        if self._marks is None:
            newest = listing.newest()
            self._marks = (newest, newest)
            return set()
        newest, incidents = story.went_on_since(self._marks[0])
        self._marks = (self._marks[1], newest)
        return incidents
