"""What is said aloud: of an incident that waits for a person, and of how everything is. Short, plain, without secrets.

The same script is spoken by a vendor's voice, by the browser's own, and read on the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from incidents.engine.redaction import redact
from incidents.models import Diagnosis, Fix, Incident
from incidents.queries import shell
from incidents.states import WAITING
from incidents.values import Severity
from monitoring.models import ServiceHealth

SPOKEN = frozenset({Severity.HIGH, Severity.CRITICAL, Severity.BLOCKER})
MOST_CHARACTERS = 900
_SENTENCE = 220
_FACT = 600


def wants_voice(severity: str) -> bool:
    """Say whether an alert of this severity is spoken at all."""
    return severity in {member.value for member in SPOKEN}


def script_of(incident: Incident) -> str:
    """Return what is said of an incident: severity and title, cause, proposed fix, and what is asked of whom."""
    service = incident.service
    diagnosis = Diagnosis.objects.filter(incident=incident).order_by("-id").first()
    fix = Fix.objects.filter(incident=incident, state=Fix.State.CHOSEN).order_by("-id").first()
    parts = [
        f"{incident.severity.capitalize()} incident {incident.pk} in {service.name}.",
        _sentence(incident.title.removeprefix(f"{service.name}: ")),
        f"Cause: {_sentence(diagnosis.root_cause)}" if diagnosis else "The cause is not known.",
        f"Proposed fix: {_sentence(fix.explanation)}" if fix else "No fix is proposed.",
        _sentence(incident.waits_for) if incident.waits_for else "A person has to look.",
    ]
    known = {name: str(value) for name, value in service.environment.items()}
    return _speakable(redact(" ".join(parts), known))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How everything is: what was measured, the built-in words for what waits, and facts that a vendor may put into words.

    All of it is without secrets. `headline` and `agent` are always said as they are: no vendor can talk a service well.
    """

    headline: str
    waiting: str
    agent: str
    facts: str

    @property
    def script(self) -> str:
        """Return the built-in summary."""
        return _speakable(f"{self.headline} {self.waiting} {self.agent}")

    def in_words(self, words: str) -> str:
        """Return the summary with somebody else's words for what waits."""
        return _speakable(f"{self.headline} {words} {self.agent}")


def standing() -> Standing:
    """Return how everything is now."""
    rows = list(ServiceHealth.objects.filter(service__enabled=True).select_related("service"))
    first = Incident.objects.filter(status__in=WAITING).select_related("service")
    waiting = list(first.order_by("-id")[:3])
    services = [*(row.service for row in rows), *(one.service for one in waiting)]
    known = {f"{s.slug} {n}": str(v) for s in services for n, v in s.environment.items()}
    headline, agent = _headline(rows), f"The agent: {shell.agent()['label']}."
    facts = "\n".join([headline, *map(_facts, waiting), agent])
    return Standing(
        headline=redact(headline, known),
        waiting=redact(" ".join(map(_waits, waiting)), known),
        agent=agent,
        facts=redact(facts, known),
    )


def status_script() -> str:
    """Return how everything is now, in a few sentences."""
    return standing().script


def _headline(rows: list[ServiceHealth]) -> str:
    ill = sorted(
        (row for row in rows if row.state in {"down", "degraded"}), key=lambda r: r.service.name
    )
    count = shell.waiting()
    waits = {0: "No incident waits for a person.", 1: "1 incident waits for a person."}
    parts = [
        f"{len(rows)} {'service is' if len(rows) == 1 else 'services are'} watched.",
        " ".join(f"{row.service.name} is {row.state}." for row in ill[:5])
        or f"{'It' if len(rows) == 1 else 'None of them'} is {'not ' * (len(rows) == 1)}known to be down or degraded.",
        waits.get(count, f"{count} incidents wait for a person."),
    ]
    return " ".join(parts)


def _waits(one: Incident) -> str:
    return f"Number {one.pk}, {one.severity}, {one.service.name}: {_sentence(one.waits_for)}"


def _facts(one: Incident) -> str:
    """Return what is known of an incident that waits, for somebody who puts it into words."""
    diagnosis = Diagnosis.objects.filter(incident=one).order_by("-id").first()
    fix = Fix.objects.filter(incident=one, state=Fix.State.CHOSEN).order_by("-id").first()
    parts = [
        f"Incident {one.pk}, {one.severity}, in {one.service.name}: {one.title}.",
        f"Cause: {diagnosis.root_cause} {diagnosis.plain}" if diagnosis else "No cause is known.",
        f"Proposed fix: {fix.explanation}" if fix else "No fix is proposed.",
        one.waits_for or "A person has to look.",
    ]
    return " ".join(" ".join(part.split())[:_FACT] for part in parts)


def _sentence(text: str) -> str:
    """Return the first sentence of a text, bounded, with a full stop."""
    flat = " ".join(text.split())
    first = re.split(r"(?<=[.!?])\s+(?=[A-Z])", flat, maxsplit=1)[0][:_SENTENCE]
    return first if first.endswith((".", "!", "?")) else f"{first}."


def _speakable(text: str) -> str:
    """Return the text as it can be said: no control characters, backticks or long runs of signs."""
    plain = re.sub(r"[`*_#<>{}\[\]|]+", " ", text)
    plain = "".join(char for char in plain if char.isprintable())
    return " ".join(plain.split())[:MOST_CHARACTERS]
