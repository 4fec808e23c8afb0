"""The tools that a model may use: it reads what was collected, and asks or tries isolated copies. Nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from agentops_site.integrations.claude.answer import ACTIONS_SCHEMA, actions_of
from agentops_site.integrations.claude.inputs import (
    MAX_LINES,
    NoInput,
    ReadFile,
    ReadLog,
    RequestCopy,
    Search,
    ShowDiff,
    ToolInput,
    TryFix,
)
from incidents.engine import patches
from incidents.engine.redaction import Redactor
from incidents.values import BadActions, EvidencePack
from monitoring.values import HttpRequest

MAX_CHARACTERS = 16_000
MAX_COPIES = 6
MAX_ATTEMPTS = 3  # a first try and two repairs


class ToolRefused(Exception):
    """The call is not allowed or makes no sense; the text tells the model why."""


@dataclass
class Toolbox:
    """Answers the model's calls from one evidence pack; every answer is without secrets."""

    pack: EvidencePack
    redactor: Redactor
    _used: set[str] = field(default_factory=set)
    _copies: int = 0
    _attempts: int = 0
    _clean: dict[str, list[str]] = field(default_factory=dict)

    def specs(self) -> list[dict[str, Any]]:
        """Return the tools as the API wants them, always in the same order so that they can be cached."""
        return [_spec(name, tool) for name, tool in self._tools().items()]

    def use(self, name: str, raw: object) -> str:
        """Return a tool's answer; raise `ToolRefused` for unknown tools, wrong input and repeated calls."""
        tool = self._tools().get(name)
        if tool is None:
            raise ToolRefused(f"There is no tool named {name[:40]!r}.")
        call = f"{name} {json.dumps(raw, sort_keys=True)}"
        if call in self._used:
            raise ToolRefused("You have made this very call before; its answer stands above.")
        self._used.add(call)
        try:
            answer = tool.run(tool.takes.model_validate(raw))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise ToolRefused(f"Wrong input: {first['loc']}: {first['msg']}") from error
        return _cut(self.redactor.redact(answer))

    def _tools(self) -> dict[str, _Tool]:
        tools = {
            "list_files": _Tool(
                NoInput, self._list_files, "List the service's files with their sizes."
            ),
            "read_file": _Tool(ReadFile, self._read_file, "Read lines of a file as it is now."),
            "search_source": _Tool(
                Search, self._search, "Find lines in all files that contain a text."
            ),
            "read_log": _Tool(ReadLog, self._read_log, "Read the end of the service's log."),
            "show_diff": _Tool(
                ShowDiff, self._diff, "Show what changed since last known good, with hunk ids."
            ),
            "similar_incidents": _Tool(
                NoInput, self._similar, "Show past incidents of this kind and how they ended."
            ),
        }
        if self.pack.workbench is not None:
            tools["request_copy"] = _Tool(
                RequestCopy,
                self._ask,
                "Start an isolated copy of the service as it is and send it one request.",
            )
            tools["try_fix"] = _Tool(
                TryFix,
                self._try,
                "Try a fix on an isolated copy: it is started and the requests are replayed.",
            )
        return tools

    def _list_files(self, _: Any) -> str:
        good = self.pack.last_good or {}
        rows = [
            f"{path}  {len(data)} bytes{_mark(good, path, data)}"
            for path, data in sorted(self.pack.current.items())
        ]
        gone = [
            f"{path}  (deleted since last known good)"
            for path in sorted(good)
            if path not in self.pack.current
        ]
        return "\n".join([*rows, *gone]) or "There are no files."

    def _read_file(self, wanted: ReadFile) -> str:
        lines = self._lines(wanted.path)
        last = min(wanted.last, wanted.first + MAX_LINES - 1, len(lines))
        shown = [f"{number:>5}  {lines[number - 1]}" for number in range(wanted.first, last + 1)]
        return "\n".join(
            [f"{wanted.path}, lines {wanted.first} to {last} of {len(lines)}:", *shown]
        )

    def _search(self, wanted: Search) -> str:
        needle = wanted.text.lower()
        found = [
            f"{path}:{number}: {line.strip()[:200]}"
            for path in sorted(self.pack.current)
            for number, line in enumerate(self._lines(path), start=1)
            if needle in line.lower()
        ]
        return "\n".join(found[:MAX_LINES]) or "No line contains this."

    def _read_log(self, wanted: ReadLog) -> str:
        needle = wanted.text.lower()
        lines = [
            x for x in self.redactor.redact(self.pack.log_tail).splitlines() if needle in x.lower()
        ]
        return "\n".join(lines[-wanted.last :]) or "The log has no such line."

    def _diff(self, wanted: ShowDiff) -> str:
        if self.pack.last_good is None:
            return "There is no last known good state."
        found = [
            h
            for h in patches.hunks(self.pack.last_good, self.pack.current)
            if wanted.path in ("", h.path)
        ]
        return "\n".join(line for hunk in found for line in _shown(hunk)) or "Nothing changed."

    def _similar(self, _: Any) -> str:
        return (
            "\n".join(json.dumps(dict(row), default=str) for row in self.pack.similar)
            or "There are none."
        )

    def _ask(self, wanted: RequestCopy) -> str:
        assert self.pack.workbench is not None  # noqa: S101 - the tool is offered only then
        if self._copies >= MAX_COPIES:
            raise ToolRefused(f"At most {MAX_COPIES} requests to copies are allowed.")
        self._copies += 1
        request = HttpRequest(
            method=wanted.method,
            path=wanted.path,
            headers={"Content-Type": wanted.content_type} if wanted.body else {},
            body=self.redactor.restore(wanted.body).encode(),
        )
        answer = self.pack.workbench.ask(request)
        if answer.failure:
            return f"No answer: {answer.failure}"
        return f"{answer.status} in {answer.elapsed_ms:.0f} ms\n{answer.body.decode('utf-8', 'replace')}"

    def _try(self, wanted: TryFix) -> str:
        assert self.pack.workbench is not None  # noqa: S101 - the tool is offered only then
        if self._attempts >= MAX_ATTEMPTS:
            raise ToolRefused("A fix may be repaired twice at most; answer now.")
        self._attempts += 1
        try:
            return self.pack.workbench.attempt(actions_of(wanted.actions, self.redactor))
        except BadActions as error:
            return f"Refused: {error}"

    def _lines(self, path: str) -> list[str]:
        """Return a file's lines without secrets; the whole is cleaned first, so that no slice cuts a secret open."""
        if path not in self.pack.current:
            raise ToolRefused(f"There is no file {path[:200]!r} among the service's files.")
        if path not in self._clean:
            text = self.pack.current[path].decode("utf-8", "replace")
            self._clean[path] = self.redactor.redact(text).splitlines()
        return self._clean[path]


@dataclass(frozen=True)
class _Tool:
    takes: type[ToolInput]
    run: Callable[[Any], str]
    purpose: str


def _spec(name: str, tool: _Tool) -> dict[str, Any]:
    shape = tool.takes.model_json_schema()
    if tool.takes is TryFix:
        shape["properties"]["actions"] = ACTIONS_SCHEMA
    return {"name": name, "description": tool.purpose, "input_schema": shape}


def _mark(good: Any, path: str, data: bytes) -> str:
    if not good:
        return ""
    if path not in good:
        return "  (new since last known good)"
    return "" if good[path] == data else "  (changed since last known good)"


def _shown(hunk: patches.Hunk) -> Iterator[str]:
    yield f"hunk {hunk.id} in {hunk.path} at line {hunk.new_start} ({hunk.kind})"
    yield from (f"-{line.rstrip()}" for line in hunk.old_lines)
    yield from (f"+{line.rstrip()}" for line in hunk.new_lines)


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= MAX_CHARACTERS
        else text[:MAX_CHARACTERS] + "\n(cut here; ask for less)"
    )
