"""What is said aloud: of an incident that waits for a person, and of how everything is. Short, plain, without secrets.

The same script is spoken by a vendor's voice, by the browser's own, and read on the page.
"""

from __future__ import annotations

import re

from incidents.engine.redaction import redact
from incidents.models import Diagnosis, Fix, Incident
from incidents.queries import shell
from incidents.states import WAITING
from incidents.values import Severity
from monitoring.models import ServiceHealth

SPOKEN = frozenset({Severity.HIGH, Severity.CRITICAL, Severity.BLOCKER})
MOST_CHARACTERS = 900
_SENTENCE = 220


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


def status_script() -> str:
    """Return how everything is now, in a few sentences."""
    rows = ServiceHealth.objects.filter(service__enabled=True).select_related("service")
    ill = sorted(
        (row for row in rows if row.state in {"down", "degraded"}), key=lambda r: r.service.name
    )
    waiting = list(
        Incident.objects.filter(status__in=WAITING).select_related("service").order_by("-id")[:3]
    )
    parts = [
        f"{len(rows)} {'service is' if len(rows) == 1 else 'services are'} watched.",
        " ".join(f"{row.service.name} is {row.state}." for row in ill[:5])
        or "None of them is known to be down or degraded.",
        f"{shell.waiting()} incidents wait for a person."
        if waiting
        else "No incident waits for a person.",
        *(
            f"Number {one.pk}, {one.severity}, {one.service.name}: {_sentence(one.waits_for)}"
            for one in waiting
        ),
        f"The agent: {shell.agent()['label']}.",
    ]
    return _speakable(redact(" ".join(parts)))


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
