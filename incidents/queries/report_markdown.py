"""A clearance report as Markdown, for a download. Quoted material stands in fences that it cannot close."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!])")


def as_markdown(
    body: dict[str, Any], *, postmortem: str = "", follow_ups: Sequence[str] = ()
) -> str:
    """Return the whole report; sections that have nothing to say are left out."""
    head = [
        f"# {_plain(body['title'])}",
        "",
        f"- Incident: #{body['incident']} in {_plain(body['service'])}",
        f"- Severity: {body['severity']}; kind: {body['category']}",
        f"- Outcome: {_plain(body['outcome'])}",
    ]
    sections: list[tuple[str, Iterator[str]]] = [
        ("Post-mortem", iter([postmortem] if postmortem else [])),
        ("What happened", _what(body)),
        ("Root cause", iter([_plain(body["root_cause"]) + _at(body["place"])])),
        ("Impact", (f"- {_plain(name)}: {_plain(value)}" for name, value in body["impact"])),
        ("When", (_moment(row) for row in body["times"])),
        ("Evidence", (f"- {row['id']}: {_plain(row['title'])}" for row in body["evidence"])),
        ("The fix", _fix(body["fix"])),
        ("The proof", _receipt(body["receipt"])),
        ("Safety", _reviews(body["reviews"])),
        ("The decision", _decision(body["decision"])),
        ("What was learned", (f"- {_plain(line)}" for line in body["learned"])),
        ("Open questions", (f"- {_plain(line)}" for line in body["open_questions"])),
        ("Follow-ups", iter(follow_ups)),
    ]
    return "\n".join([*head, *_joined(sections)]) + "\n"


def _joined(sections: list[tuple[str, Iterator[str]]]) -> Iterator[str]:
    for title, lines in sections:
        text = list(lines)
        if text:
            yield from ("", f"## {title}", "", *text)


def _plain(text: str) -> str:
    """Return one line of text that no Markdown reader takes for markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def fenced(text: str, language: str = "") -> str:
    """Return the text in a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _what(body: dict[str, Any]) -> Iterator[str]:
    yield _plain(body["plain"] or body["root_cause"])
    if body["analogy"]:
        yield ""
        yield _plain(body["analogy"])


def _at(place: str) -> str:
    return f" (`{place.replace('`', '')}`)" if place else ""


def _moment(row: dict[str, str]) -> str:
    by = f", {_plain(row['by'])}" if row["by"] else ""
    at = datetime.fromisoformat(row["at"]).astimezone(UTC)
    return f"- {row['what']}: {at:%Y-%m-%d %H:%M:%S} UTC{by}"


def _fix(fix: dict[str, Any] | None) -> Iterator[str]:
    if fix is None:
        return
    yield f"{_plain(fix['explanation'])} (by {_plain(fix['author'])}, {fix['lines']} lines, digest {fix['digest']})"
    if fix["risks"]:
        yield ""
        yield f"Risks: {_plain(fix['risks'])}"
    if fix["diff"]:
        yield ""
        yield fenced(fix["diff"], "diff")


def _receipt(receipt: dict[str, Any] | None) -> Iterator[str]:
    if receipt is None:
        return
    words = {True: "passed", False: "failed", None: "was not possible"}
    yield f"The trial {words[receipt['passed']]} (isolation: {receipt['isolation'] or 'none'}, receipt {receipt['digest']})."
    if receipt["reason"]:
        yield f"Reason: {_plain(receipt['reason'])}"
    yield ""
    for row in receipt["failing"]:
        yield f"- {_plain(row['request'])}: before {row['before']}, now {row['after']} ({row['verdict']})"
    yield f"- Good requests answered the same: {receipt['good_same']} of {receipt['good']}"


def _reviews(reviews: list[dict[str, Any]]) -> Iterator[str]:
    for row in reviews:
        yield f"- {_plain(row['reviewer'])} {row['verdict']} (score {row['score']:.2f})"
        yield from (f"  - {_plain(finding)}" for finding in row["findings"])


def _decision(decision: dict[str, Any] | None) -> Iterator[str]:
    if decision is None:
        return
    yield f"{_plain(decision['kind'])} by {_plain(decision['by'])}, confidence {decision['score']:.2f}."
    if decision["reason"]:
        yield f"Reason given: {_plain(decision['reason'])}"
    yield ""
    for term in decision["terms"]:
        yield f"- {term['value']:+.2f} {_plain(term['name'])}: {_plain(term['note'])}"
