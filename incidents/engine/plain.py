"""The same cause for people who are not engineers: what fails, since when, how often, and what it is like."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from incidents.engine.causes import Cause
from incidents.engine.facts import Facts, number
from incidents.values import Category
from monitoring.values import Symptom

_HAPPENS = {
    Category.CODE: "A mistake in the program makes requests fail.",
    Category.CONFIG: "A setting that the program reads is wrong, so that it cannot work as it should.",
    Category.CRASH: "The program is not running.",
    Category.STARTUP: "The program cannot get past its own start.",
    Category.SLOW: "The program works, but takes far too long to answer.",
    Category.HANG: "The program is running, but waits for something that does not come.",
    Category.DEPENDENCY: "The program itself works, but something that it needs from elsewhere does not answer.",
    Category.RESOURCE: "The machine has run out of something that the program needs.",
    Category.DATA: "The program met data that it cannot handle.",
    Category.WRONG_ANSWER: "The program answers, but what it says is wrong.",
    Category.UNKNOWN: "Something is wrong, and the evidence does not show what.",
}
_ANALOGIES = {
    Category.CODE: "It is like a typo in a recipe: the cook follows it to the letter, and that one dish fails each time.",
    Category.CONFIG: "It is like a thermostat set in the wrong unit: the heating is sound, it was told the wrong thing.",
    Category.CRASH: "It is like a kitchen with the lights off: nobody is there to take an order until it opens again.",
    Category.STARTUP: "It is like a car that stalls at every turn of the key: it never gets as far as the road.",
    Category.SLOW: "It is like one slow till with a long queue: everybody is served in the end, but most walk off first.",
    Category.HANG: "It is like two people in a doorway, each waiting for the other to go first.",
    Category.DEPENDENCY: "It is like a bakery whose flour was not delivered: the ovens are fine, the bread is missing.",
    Category.RESOURCE: "It is like a car park that is full: the barrier works, there is just no room for one more.",
    Category.DATA: "It is like a form filled in with the wrong kind of answer: the clerk does not know where to put it.",
    Category.WRONG_ANSWER: "It is like a clock that runs but shows the wrong time: it looks fine until you rely on it.",
    Category.UNKNOWN: "It is like a warning light without a label: it is right to look, too early to name a part.",
}
_STOPPED = (
    "The program was put on pause from outside. It runs again as soon as it is let go or restarted.",
    "It is like a film on pause: nothing is broken, somebody has to press play.",
)
_PILES_UP = "Something piles up that should be let go. If it goes on, the program will run out of room and fail."


def plain_words(facts: Facts, cause: Cause) -> str:
    """Return two to five sentences: what fails, what kind of trouble it is, and what was measured of it."""
    happens = _STOPPED[0] if facts.pack.process.state in {"T", "t"} else _HAPPENS[cause.category]
    if facts.symptom == Symptom.RESOURCES:
        happens = _PILES_UP
    parts = [_who(facts), happens, _since(facts), _impact(facts), _sure(cause)]
    return " ".join(part for part in parts if part)


def analogy(facts: Facts, cause: Cause) -> str:
    """Return a picture from daily life that fits this kind of trouble."""
    if facts.symptom == Symptom.RESOURCES:
        return "It is like a tap that drips into a bucket: nothing is wet yet, and the bucket has an edge."
    return _STOPPED[1] if facts.pack.process.state in {"T", "t"} else _ANALOGIES[cause.category]


def _who(facts: Facts) -> str:
    name, failure = facts.pack.service, facts.pack.failure
    request = f"{failure.method} {failure.path}".strip() if failure.path else "its health check"
    match failure.symptom:
        case Symptom.NO_PROCESS | Symptom.REFUSED:
            return f"{name} cannot be reached: nobody can use it right now."
        case Symptom.TIMEOUT:
            return f"{name} does not answer {request} in time."
        case Symptom.SLOW:
            seconds = failure.latency_ms / 1000
            took = f" ({seconds:.1f} seconds)" if seconds else ""
            return f"{name} answers {request} too slowly{took}."
        case Symptom.RESOURCES:
            return f"{name} still answers everybody rightly, but: {facts.pack.failure.detail}"
        case Symptom.WRONG_ANSWER | Symptom.WRONG_BODY:
            return f"{name} answers {request}, but wrongly."
        case Symptom.HTTP_ERROR:
            return f"{name} answers {request} with an error ({failure.status})."
        case _:
            return f"{name} reports that it is not well."


def _since(facts: Facts) -> str:
    raw = facts.pack.measured.get("since")
    try:
        since = datetime.fromisoformat(str(raw))
    except ValueError:
        return ""
    return f"It has been so since {since:%H:%M:%S} ({since.tzname() or 'UTC'})."


def _impact(facts: Facts) -> str:
    measured = facts.pack.measured
    probes, failed = number(measured, "probes"), number(measured, "failed_probes")
    told = []
    if probes and failed is not None:
        told.append(f"{failed:.0f} of the last {probes:.0f} checks failed")
    if (share := number(measured, "failed_share")) is not None:
        counted = _counted(measured, "failed_requests", "requests")
        told.append(f"{share:.0%} of the requests since then failed{counted}")
    if (users := number(measured, "users_share")) is not None:
        told.append(f"{users:.0%} of the users since then were affected")
    endpoints = measured.get("failing_endpoints")
    if isinstance(endpoints, list | tuple) and endpoints:
        told.append("failing now: " + ", ".join(str(name) for name in endpoints[:5]))
    return ("Measured: " + "; ".join(told) + ".") if told else ""


def _counted(measured: Mapping[str, object], part: str, whole: str) -> str:
    """Return ` (3 of 4)`: a share of few things says less than it seems to."""
    some, of_all = number(measured, part), number(measured, whole)
    return "" if some is None or of_all is None else f" ({some:.0f} of {of_all:.0f})"


def _sure(cause: Cause) -> str:
    if cause.category is Category.UNKNOWN:
        return "An expert has to look."
    return "This is a suspicion, not a finding." if cause.certainty < 0.5 else ""
