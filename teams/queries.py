"""What the team page shows, prepared: two queries whatever the size of the team."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teams.models import MatrixRow, User
from teams.roles import BY_SEVERITY, HIGHEST, ROLE_WORDS, VERB_WORDS, Role, Verb

TONES = {
    Role.TEAM_LEAD: "ask",
    Role.SENIOR_DEV: "info",
    Role.JUNIOR_DEV: "ok",
    Role.MANAGER: "warn",
    Role.VIEWER: "",
}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A person with the badge of the role and what it may approve, in words."""

    person: User
    role: str
    tone: str
    approves: str


@dataclass(frozen=True, kw_only=True)
class MatrixLine:
    """A verb with one cell for each role: (right in words, whether there is one)."""

    verb: str
    cells: Sequence[tuple[str, bool]]


@dataclass(frozen=True, kw_only=True)
class Team:
    """The team page."""

    profiles: Sequence[Profile]
    roles: Sequence[str]
    lines: Sequence[MatrixLine]
    exceptions: Sequence[str]


def team() -> Team:
    """Return the active people, the global matrix as a table and the services' own rows as sentences."""
    rows = list(MatrixRow.objects.all())
    rights = {(row.role, row.verb): row for row in rows if not row.service_slug}
    ranks = list(Role)
    people = sorted(
        User.objects.admitted(),
        key=lambda person: (ranks.index(Role(person.role)), person.name),
    )
    return Team(
        profiles=[_profile(person, rights) for person in people],
        roles=[ROLE_WORDS[role].capitalize() for role in Role],
        lines=[_line(verb, rights) for verb in Verb],
        exceptions=[str(row).capitalize() for row in rows if row.service_slug],
    )


def _profile(person: User, rights: dict[tuple[str, str], MatrixRow]) -> Profile:
    role = Role(person.role)
    words, allowed = _cell(rights.get((role, Verb.APPROVE)), Verb.APPROVE)
    return Profile(
        person=person,
        role=ROLE_WORDS[role].capitalize(),
        tone=TONES[role],
        approves=f"Approves {words}" if allowed else "Does not approve",
    )


def _line(verb: Verb, rights: dict[tuple[str, str], MatrixRow]) -> MatrixLine:
    cells = [_cell(rights.get((role, verb)), verb) for role in Role]
    return MatrixLine(verb=VERB_WORDS[verb].capitalize(), cells=cells)


def _cell(row: MatrixRow | None, verb: Verb) -> tuple[str, bool]:
    if row is None or not row.granted:
        return "no", False
    if verb not in BY_SEVERITY:
        return "yes", True
    return ("everything" if row.up_to == HIGHEST else f"up to {row.up_to}"), True
