"""One name for one cause, however often, where and under which ids it is seen."""

from __future__ import annotations

import posixpath
import re

from incidents.engine.culprits import is_library
from incidents.engine.tracebacks import Frame, Trace, parse, root
from incidents.values import Failure, digest_of
from monitoring.check_commands import METHOD
from monitoring.values import Symptom

_VOLATILE = (
    (
        re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"),
        "<time>",
    ),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "<id>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.I), "<address>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.I), "<id>"),
    (re.compile(r"(?:/[\w.@-]+){2,}"), "<path>"),
    (re.compile(r"\d+(?:[.,]\d+)?"), "<n>"),
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")

# A hang is seen now as slow, now as a timeout; a dead process now as a refused port, now as no process.
_FAMILY: dict[str, str] = {
    Symptom.SLOW: "unresponsive",
    Symptom.TIMEOUT: "unresponsive",
    Symptom.REFUSED: "down",
    Symptom.NO_PROCESS: "down",
}


def fingerprint(service_slug: str, failure: Failure) -> str:
    """Return the 16 hex digits that name the cause of a failure of this service.

    With a traceback: exception type, file name and function of the service's innermost frame. Without: the family of
    the symptom and what is stable about it. Line numbers, addresses, ids, times and values never count, so that an
    edit above the faulty line, or another order number, is not a new incident.
    """
    return digest_of([service_slug, *_basis(failure)])[:16]


def signature(trace: Trace) -> tuple[str, str, str]:
    """Return type, file name and function that identify an exception."""
    own = [frame for frame in trace.frames if not is_library(frame.path)]
    frame = (own or list(trace.frames) or [Frame(path="", line=0)])[-1]
    return trace.name, _file_name(frame.path), frame.function


def stable(text: str, *, keep_quotes: bool = False) -> str:
    """Return the text without what differs between two sightings of one cause, cut to 200 characters."""
    if not keep_quotes:
        text = _QUOTED.sub("<value>", text)
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return " ".join(text.split())[:200]


def route(path: str) -> str:
    """Return a request path without its query and ids, e.g. `/api/products/<n>`."""
    parts = path.partition("?")[0].split("/")
    return "/".join(stable(part) for part in parts)


def _basis(failure: Failure) -> tuple[str, ...]:
    trace = root(parse(failure.traceback))
    if trace is not None:
        return ("exception", *signature(trace))
    family = _FAMILY.get(failure.symptom, failure.symptom)
    match failure.symptom:
        case Symptom.STOPPED | Symptom.SLOW | Symptom.TIMEOUT:
            return (family,)
        case Symptom.NO_PROCESS | Symptom.REFUSED:
            return (family, failure.error_type)
        case Symptom.HTTP_ERROR:
            named = failure.error_type and not failure.error_type.startswith("HTTP ")
            place = "" if named else route(failure.path)
            return (family, failure.error_type, str(failure.status or ""), place)
        case Symptom.BAD_CONFIG | Symptom.RESOURCES:
            return (family, failure.error_type)
        case Symptom.WRONG_ANSWER if failure.method == METHOD:  # its output is anybody's words
            return (family, failure.error_type)
        case _:
            return (
                family,
                failure.error_type,
                route(failure.path),
                stable(failure.detail, keep_quotes=True),
            )


def _file_name(path: str) -> str:
    folder, name = posixpath.split(path.replace("\\", "/"))
    # Every package has an __init__.py: only its folder tells them apart.
    return f"{posixpath.basename(folder)}/{name}" if name.startswith("__") else name
