"""Causes of waiting: what the stacks of the running process show, and suspects where there are none."""

from __future__ import annotations

import re

from incidents.engine.causes import Cause
from incidents.engine.facts import Facts
from incidents.engine.stacks import Stuck
from incidents.engine.suspects import line_in, ranked, suspicion
from incidents.values import Category
from monitoring.values import Symptom

_SLEEP = re.compile(r"\bsleep\s*\(")
_NETWORK = re.compile(
    r"urlopen|\.connect\(|\.recv\w*\(|create_connection|getaddrinfo|requests\.\w+\(|\.getresponse\("
)
_NETWORK_CALLS = frozenset(
    {
        "create_connection",
        "getaddrinfo",
        "readinto",
        "recv",
        "recv_into",
        "connect",
        "urlopen",
        "do_open",
    }
    | {"getresponse", "_read_status", "do_handshake", "sock_recv", "sendall"}
)
_LOCK = re.compile(
    r"\.acquire\(|\bwith\b.*(?:lock|mutex|semaphore|condition)|\block\b", re.IGNORECASE
)
_OTHERS = re.compile(r"\.(?:join|wait|result|get|put|communicate)\(|\bsubprocess\.|\bawait\b")
_ENDLESS = re.compile(r"\.(?:wait|acquire|join|get|result)\(\s*\)|\bwhile\s+(?:True|1)\b")
_LOOP = re.compile(r"^(?:while|for)\b")


def from_stacks(facts: Facts) -> Cause | None:
    """Return the line where requests are stuck, and what they wait for there."""
    stuck = facts.stuck
    if stuck is None or facts.symptom not in {Symptom.SLOW, Symptom.TIMEOUT}:
        return None
    code = facts.source(stuck.file, stuck.line)
    category, what = _waits_for(facts, stuck, code)
    place = f"line {stuck.line} of {stuck.file} ({stuck.function})"
    shown = f": {code[:120]}" if code else ""
    changed = " That line changed since last known good." if stuck.on_changed_line else ""
    blames_code = category is not Category.DEPENDENCY or stuck.on_changed_line
    return Cause(
        category=category,
        text=f"{_who(stuck)} at {place}, {what}{shown}.{changed}",
        certainty=0.95 if stuck.on_changed_line else 0.75,
        cites=("stack", "answer", "changes") if facts.hunks else ("stack", "answer"),
        file=stuck.file if blames_code else "",
        line=stuck.line if blames_code else None,
    )


def _who(stuck: Stuck) -> str:
    again = f", seen {stuck.samples} times in a row," if stuck.samples > 1 else ""
    return (
        f"{stuck.threads} threads sit{again}" if stuck.threads > 1 else f"The process sits{again}"
    )


def slow_suspects(facts: Facts) -> Cause | None:
    """Return the change that would explain the waiting, without having seen the process wait."""
    if facts.symptom not in {Symptom.SLOW, Symptom.TIMEOUT} or not facts.hunks:
        return None
    first = ranked(facts)[0]
    points = suspicion(first, facts)
    if points <= 0:
        return None
    line = line_in(first, facts)
    code = facts.source(first.path, line)
    endless = facts.symptom == Symptom.TIMEOUT and _ENDLESS.search(code) is not None
    return Cause(
        category=Category.HANG if endless else Category.SLOW,
        text=f"Answers take too long. Where could not be seen; of {len(facts.hunks)} changes since last known good, "
        f"line {line} of {first.path} explains it best: {code[:120]}",
        certainty=0.6 if points >= 50 else 0.4,
        cites=("answer", "changes"),
        file=first.path,
        line=line,
    )


def _waits_for(facts: Facts, stuck: Stuck, code: str) -> tuple[Category, str]:
    hang = Category.SLOW if facts.symptom == Symptom.SLOW else Category.HANG
    if _SLEEP.search(code):
        return Category.SLOW, "in a pause that the code itself makes"
    if _NETWORK_CALLS & set(stuck.inner) or _NETWORK.search(code):
        return Category.DEPENDENCY, "waiting for an answer over the network"
    if stuck.busy or stuck.moving:
        return hang, "busy in a loop or a long calculation" if _LOOP.match(
            code
        ) else "busy calculating"
    if _LOCK.search(code):
        return Category.HANG, "waiting for a lock that is not given back"
    if _OTHERS.search(code) or stuck.inner:
        return hang, "waiting for another thread or process"
    if _LOOP.match(code):
        return hang, "in a loop that does not end"
    return hang, "where it does not go on"
