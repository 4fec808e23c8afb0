"""Who may do what. The one place that answers; pages, API, sockets and admin all ask here.

Nothing is cached: a right that a manager took away a second ago is gone, also in a socket that has been open for hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponseBase
from django_htmx.http import HttpResponseClientRedirect

from teams.models import MatrixRow, User
from teams.roles import (
    ASKING_ORDER,
    BY_SEVERITY,
    HIGHEST,
    ROLE_WORDS,
    SEVERITIES,
    VERB_WORDS,
    Role,
    Verb,
)

NAMES_SHOWN = 3
_NOBODY = (
    "nobody who is active may: ask a manager to add somebody whose role may, such as a team lead, "
    "or to change the approval matrix"
)
P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """Whether it is allowed; else why not, in a sentence for the person, the role that may and its people ("" when none)."""

    allowed: bool
    reason: str = ""
    needed_role: str = ""
    whom: str = ""


_SIGN_IN = Ruling(allowed=False, reason="sign in first")


class AccessRefused(PermissionDenied):
    """The matrix says no; `ruling` says why. Unhandled, Django answers it with our 403 page."""

    def __init__(self, ruling: Ruling) -> None:
        super().__init__(ruling.reason)
        self.ruling = ruling


def may(
    user: User | AnonymousUser, verb: Verb | str, *, severity: str = "", service: str = ""
) -> Ruling:
    """Judge one act by the stored matrix and the person's stored role: one query when it is allowed.

    `severity` is one of `SEVERITIES`; an unknown ("") one counts as the highest. `service` is a slug.
    Being a superuser gives no right. Raises ValueError for a word that is no verb or no severity.
    """
    verb, severity = _known(verb, severity)
    if not isinstance(user, User) or user.pk is None:
        return _SIGN_IN
    # The role is read in the query, not taken from the object: a socket's user may be hours old.
    role = User.objects.admitted().filter(pk=user.pk).values("role")
    row = _deciding(_rows(verb, service).filter(role__in=Subquery(role)))
    if row is not None and row.covers(severity):
        return Ruling(allowed=True)
    return Rulings([user], service=service).may(user, verb, severity=severity)


def require(
    user: User | AnonymousUser, verb: Verb | str, *, severity: str = "", service: str = ""
) -> None:
    """Raise `AccessRefused` unless `may` allows it."""
    ruling = may(user, verb, severity=severity, service=service)
    if not ruling.allowed:
        raise AccessRefused(ruling)


def needs(verb: Verb | str) -> Callable[[View[P]], View[P]]:
    """Guard a view: signed out goes to the sign-in page, refused gets the 403 page or fragment with the reason.

    For verbs without a severity. A view that knows severity or service calls `require` itself.
    """

    def guard(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            require(request.user, verb)
            return view(request, *args, **kwargs)

        return guarded

    return guard


def sign_in_first(request: HttpRequest) -> HttpResponseBase:
    """Send to the sign-in page; an HTMX request leaves the whole page instead of swapping the form into it."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path())
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = page.path + (f"?{page.query}" if page.query else "")
    return HttpResponseClientRedirect(redirect_to_login(back or "/").url)


def allowed_verbs(user: User | AnonymousUser, *, severity: str = "", service: str = "") -> set[str]:
    """Return every verb that the person may use here, by one query: for the buttons of a page."""
    if not isinstance(user, User) or user.pk is None:
        return set()
    role = User.objects.admitted().filter(pk=user.pk).values("role")
    mine = MatrixRow.objects.filter(service_slug__in={"", service}, role__in=Subquery(role))
    return _verbs_in(mine, severity or HIGHEST)


class Rulings:
    """Judges some people on one service by what is stored at this moment; for one rendering, then thrown away.

    Two queries for any number of people, and one more when somebody is to be named.
    """

    def __init__(self, people: Iterable[User], *, service: str = "") -> None:
        """Read the stored roles of those who are admitted, and the matrix."""
        asked = User.objects.admitted().filter(pk__in={person.pk for person in people})
        self._roles: dict[int, str] = dict(asked.values_list("pk", "role"))
        self._rows = list(MatrixRow.objects.filter(service_slug__in={"", service}).order_by())

    @cached_property
    def colleagues(self) -> list[User]:
        """Return everybody who is admitted; one query."""
        return list(User.objects.admitted())

    def allowed_verbs(self, user: User, *, severity: str = "") -> set[str]:
        """Return every verb that the person may use here: for the buttons of a page."""
        role = self._roles.get(user.pk)
        return _verbs_in([row for row in self._rows if row.role == role], severity or HIGHEST)

    def may(self, user: User, verb: Verb | str, *, severity: str = "") -> Ruling:
        """Judge one act as the function of this name does; a person who was not asked about counts as not active."""
        verb, severity = _known(verb, severity)
        role = self._roles.get(user.pk)
        if role is None:
            return Ruling(allowed=False, reason="this account is not active")
        rows = [row for row in self._rows if row.verb == verb]
        row = _deciding(row for row in rows if row.role == role)
        if row is not None and row.covers(severity):
            return Ruling(allowed=True)
        roles = _roles_that_may(rows, severity)
        return _refusal(_why_not(row, verb, severity), roles, _nearest(self.colleagues, roles))


def people_who_may(verb: Verb | str, *, severity: str = "", service: str = "") -> list[User]:
    """Return the active people who may do it, the nearest role first, by two queries."""
    rows = list(_rows(Verb(verb), service))
    roles = _roles_that_may(rows, severity or HIGHEST)
    return _nearest(User.objects.admitted().filter(role__in=roles), roles)


def _known(verb: Verb | str, severity: str) -> tuple[Verb, str]:
    if severity and severity not in SEVERITIES:
        raise ValueError(f"{severity!r} is not a severity.")
    return Verb(verb), severity or HIGHEST


def _rows(verb: Verb, service: str) -> QuerySet[MatrixRow]:
    return MatrixRow.objects.filter(verb=verb, service_slug__in={"", service})


def _deciding(rows: Iterable[MatrixRow]) -> MatrixRow | None:
    """Pick the service's own row before the global one."""
    return max(rows, key=lambda row: bool(row.service_slug), default=None)


def _verbs_in(rows: Iterable[MatrixRow], severity: str) -> set[str]:
    """Return the verbs that the rows of one role grant."""
    by_verb: dict[str, list[MatrixRow]] = {}
    for row in rows:
        by_verb.setdefault(row.verb, []).append(row)
    deciding = (_deciding(found) for found in by_verb.values())
    return {row.verb for row in deciding if row is not None and row.covers(severity)}


def _roles_that_may(rows: list[MatrixRow], severity: str) -> list[str]:
    """Return the roles that the rows of one verb allow it, the nearest first."""
    deciding = {role: _deciding(row for row in rows if row.role == role) for role in ASKING_ORDER}
    return [
        role.value for role, row in deciding.items() if row is not None and row.covers(severity)
    ]


def _nearest(people: Iterable[User], roles: list[str]) -> list[User]:
    """Return those of the people who have one of the roles, in the order of the roles."""
    able = [person for person in people if person.role in roles]
    return sorted(able, key=lambda person: (roles.index(person.role), person.name))


def _why_not(row: MatrixRow | None, verb: Verb, severity: str) -> str:
    where = f" on {row.service_slug}" if row is not None and row.service_slug else ""
    if row is not None and row.granted and verb in BY_SEVERITY:
        return f"your role may {VERB_WORDS[verb]} up to {row.up_to}; {_this_is(severity)}{where}"
    return f"your role may not {VERB_WORDS[verb]}{where}"


def _refusal(why: str, roles: list[str], able: list[User]) -> Ruling:
    nearest = [person for person in able if person.role == able[0].role][:NAMES_SHOWN]
    whom = " or ".join(person.name for person in nearest)
    ask = f"ask {whom} ({ROLE_WORDS[Role(nearest[0].role)]})" if nearest else _NOBODY
    return Ruling(
        allowed=False, reason=f"{why}; {ask}", needed_role=next(iter(roles), ""), whom=whom
    )


def _this_is(severity: str) -> str:
    return "this is a blocker" if severity == HIGHEST else f"this is {severity}"
