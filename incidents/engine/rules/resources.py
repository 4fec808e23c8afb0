"""Causes outside of the code that look like errors of the code: disk, files, memory, port, other services."""

from __future__ import annotations

import re

from incidents.engine.causes import Cause
from incidents.engine.culprits import Culprit, is_library
from incidents.engine.facts import Facts
from incidents.values import Category
from monitoring.values import Symptom

_DISK = re.compile(
    r"\[Errno (?:28|122)\]|No space left on device|ENOSPC|Disk quota exceeded|database or disk is full"
)
_FILES = re.compile(
    r"\[Errno (?:24|23)\]|Too many open files|EMFILE|ENFILE|unable to open database file.*open files"
)
_MEMORY = re.compile(r"\bMemoryError\b|Cannot allocate memory|\[Errno 12\]|can't start new thread")
_PORT = re.compile(r"\[Errno (?:98|48|10048)\]|Address already in use|EADDRINUSE")
_PORT_DENIED = re.compile(
    r"\[Errno 13\] Permission denied.*|Cannot assign requested address|\[Errno 99\]"
)
_NO_ANSWER = frozenset({
    "ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "ConnectionError", "ConnectError",
    "TimeoutError", "timeout", "gaierror", "herror", "URLError", "RemoteDisconnected", "IncompleteRead",
    "ConnectTimeout", "ReadTimeout", "ConnectTimeoutError", "ReadTimeoutError", "MaxRetryError", "NewConnectionError",
    "SSLError", "SSLCertVerificationError",
})  # fmt: skip
# Database drivers use one type for a server that is away and for a mistake in a statement.
_STORE_ERRORS = frozenset({"OperationalError", "InterfaceError"})
_STORE_AWAY = re.compile(
    r"connect|refused|time[d ]*out|unreachable|gone away|closed|locked|unable to open|starting up|too many clients",
    re.IGNORECASE,
)


def full_disk(facts: Facts) -> Cause | None:
    """Return that no more can be written."""
    if not _DISK.search(facts.error_text):
        return None
    return Cause(
        category=Category.RESOURCE,
        text="The disk (or its quota) is full: the service cannot write any more. No change of its code frees space.",
        certainty=0.9,
        cites=("answer", "traceback", "log"),
    )


def open_files(facts: Facts) -> Cause | None:
    """Return that no more files or connections can be opened, with the changed line that leaks them if there is one."""
    if not _FILES.search(facts.error_text):
        return None
    file, line, because = _blamed(facts.culprit)
    count = facts.pack.process.open_files
    shown = f" ({count} are open)" if count else ""
    return Cause(
        category=Category.RESOURCE,
        text=f"The process has too many open files or connections{shown}: something opens them and does not close them"
        f"{because}.",
        certainty=0.85,
        cites=("answer", "traceback", "process", "log"),
        file=file,
        line=line,
    )


def memory(facts: Facts) -> Cause | None:
    """Return that memory (or threads) ran out; the line that asked for it is where it showed."""
    if not _MEMORY.search(facts.error_text):
        return None
    culprit = facts.culprit
    where = (
        f" It showed at line {culprit.line} of {culprit.file}." if culprit and culprit.file else ""
    )
    return Cause(
        category=Category.RESOURCE,
        text=f"The process ran out of memory (or threads).{where}",
        certainty=0.85,
        cites=("answer", "traceback", "process", "log"),
        file=culprit.file if culprit else "",
        line=culprit.line if culprit else None,
    )


def taken_port(facts: Facts) -> Cause | None:
    """Return that the service cannot have its port."""
    if not facts.process_is_gone and facts.symptom != Symptom.REFUSED:
        return None
    if _PORT.search(facts.error_text):
        text = "The service cannot start: another process already listens on its port."
    elif _PORT_DENIED.search(facts.error_text) and "bind" in facts.said:
        text = "The service cannot start: it may not listen on its address or port."
    else:
        return None
    file, line, _because = _blamed(facts.culprit)
    return Cause(
        category=Category.RESOURCE,
        text=text,
        certainty=0.9,
        cites=("log", "process", "traceback"),
        file=file,
        line=line,
    )


def dependency(facts: Facts) -> Cause | None:
    """Return that another host or data store does not answer; the line that asked it is not to blame.

    Only when that line stands as it did when all was well: a changed address or time limit is a change of the code.
    """
    culprit = facts.culprit
    if culprit is None or culprit.on_changed_line or not is_no_answer(culprit):
        return None
    asked = f" (asked at line {culprit.line} of {culprit.file})" if culprit.file else ""
    message = f": {culprit.trace.message}" if culprit.trace.message else ""
    return Cause(
        category=Category.DEPENDENCY,
        text=f"Something that the service depends on does not answer{asked}: {culprit.trace.name}{message}. "
        "The code that asks has not changed; it is not to blame.",
        certainty=0.85,
        cites=("traceback", "answer", "log"),
    )


def is_no_answer(culprit: Culprit) -> bool:
    """Return whether an exception says that another host or data store did not answer."""
    trace = culprit.trace
    away = trace.name in _STORE_ERRORS and _STORE_AWAY.search(trace.message) is not None
    last = trace.frames[-1] if trace.frames else None
    if last is None or not (away or trace.name in _NO_ANSWER):
        return False
    return is_library(last.path) or not last.code.startswith("raise")


def _blamed(culprit: Culprit | None) -> tuple[str, int | None, str]:
    if culprit is None or not culprit.on_changed_line:
        return "", None, ""
    return (
        culprit.file,
        culprit.line,
        f", first seen at line {culprit.line} of {culprit.file}, which changed",
    )
