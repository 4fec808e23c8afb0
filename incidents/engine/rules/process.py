"""Causes that the state of the process itself shows: stopped, killed, ended, not listening."""

from __future__ import annotations

import re
import signal

from incidents.engine.causes import Cause
from incidents.engine.facts import Facts
from incidents.engine.suspects import line_in, ranked, suspicion
from incidents.values import Category
from monitoring.values import Symptom

_LISTENS = re.compile(
    r"\b(?:\w*port|\w*host|bind\w*|listen\w*|\w*address|argv|sockets?|\w*server|serve\w*)\b",
    re.IGNORECASE,
)
_MEANS = {
    "SIGKILL": "Something outside ended it at once, as an operator or the system's out-of-memory killer does; "
    "which of them cannot be told from here.",
    "SIGTERM": "Something outside asked it to end.",
    "SIGINT": "Something outside interrupted it.",
    "SIGHUP": "Its terminal or session was closed.",
    "SIGSEGV": "Native code touched memory that is not its own; pure Python code cannot do that by itself.",
    "SIGBUS": "Native code touched memory that could not be had.",
    "SIGABRT": "Native code or the interpreter gave up on itself.",
    "SIGXCPU": "It used up its limit of processor time.",
    "SIGXFSZ": "A file grew beyond its limit.",
}


def stopped(facts: Facts) -> Cause | None:
    """Return that the process is paused: it runs no code at all, so that no line of it can be slow."""
    if facts.pack.process.state not in {"T", "t"} or facts.process_is_gone:
        return None
    return Cause(
        category=Category.CRASH,
        text="The process was stopped by a signal (SIGSTOP or SIGTSTP) or a debugger: it is stopped, not slow. "
        "None of its code runs, so that no code is to blame.",
        certainty=0.95,
        cites=("process", "answer"),
    )


def killed(facts: Facts) -> Cause | None:
    """Return the signal that ended the process."""
    number = facts.pack.process.signal
    if not number or not facts.process_is_gone:
        return None
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    means = _MEANS.get(name, "Something outside of its Python code ended it.")
    return Cause(
        category=Category.CRASH,
        text=f"The process was ended by {name} ({number}). {means}",
        certainty=0.9,
        cites=("process", "log"),
    )


def ended(facts: Facts) -> Cause | None:
    """Return the exit code of a process that ended by itself, with the change that may have ended it."""
    code = facts.pack.process.exit_code
    if code is None or not facts.process_is_gone:
        return None
    how = "again and again" if facts.pack.process.generation > 2 else "by itself"
    text = f"The process ended {how} with exit code {code} and printed no exception."
    suspects = [hunk for hunk in ranked(facts) if suspicion(hunk, facts) >= 50]
    if not suspects:
        return Cause(category=Category.CRASH, text=text, certainty=0.6, cites=("process", "log"))
    first = suspects[0]
    line = line_in(first, facts)
    return Cause(
        category=Category.CRASH,
        text=f"{text} Line {line} of {first.path}, changed since last known good, may end it: "
        f"{facts.source(first.path, line)[:120]}",
        certainty=0.75,
        cites=("process", "changes"),
        file=first.path,
        line=line,
    )


def absent(facts: Facts) -> Cause | None:
    """Return that no process is there and nobody saw it end."""
    if facts.symptom != Symptom.NO_PROCESS:
        return None
    return Cause(
        category=Category.CRASH,
        text="No process of this service runs, and how the last one ended was not seen.",
        certainty=0.5,
        cites=("process", "answer"),
    )


def unreadable(facts: Facts) -> Cause | None:
    """Return that the service's files are out of reach: without them it cannot be started again, nor repaired by us."""
    if not facts.unreadable or not facts.process_is_gone:
        return None
    return Cause(
        category=Category.RESOURCE,
        text=f"The service does not run, and its files cannot be read: {facts.unreadable.rstrip('.')}. Without them it "
        "can neither be started nor repaired from here.",
        certainty=0.85,
        cites=("unreadable", "process", "answer"),
    )


def not_listening(facts: Facts) -> Cause | None:
    """Return that the process runs but takes no connection."""
    if facts.symptom != Symptom.REFUSED or facts.pack.process.phase != "running":
        return None
    suspects = [
        hunk
        for hunk in ranked(facts)
        if _LISTENS.search("".join((*hunk.old_lines, *hunk.new_lines)))
    ]
    found = suspects[0] if suspects else None
    return Cause(
        category=Category.STARTUP,
        text="The process runs, but refuses connections on its port: it listens elsewhere, or never got to listening.",
        certainty=0.6 if found else 0.4,
        cites=("answer", "process", "changes" if found else "log"),
        file=found.path if found else "",
        line=found.new_start if found else None,
    )
