"""What the evidence says, read once: every rule and the fix writer look at the same facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from incidents.engine.configs import (
    Broken,
    Changed,
    broken_configs,
    changed_values,
    is_config,
    problem,
)
from incidents.engine.culprits import Culprit, Places, find_culprit
from incidents.engine.hunks import Hunk, hunks
from incidents.engine.lines import as_text
from incidents.engine.patches import apply
from incidents.engine.stacks import Stuck, find_stuck, parse_stacks
from incidents.engine.tracebacks import Trace, last_chain, parse
from incidents.values import EvidencePack, Revert
from monitoring.values import Symptom

RECENT_LOG = 6_000
_LOG_EXPLAINS = frozenset(
    {Symptom.HTTP_ERROR, Symptom.NO_PROCESS, Symptom.REFUSED, Symptom.BAD_CONFIG}
    | {Symptom.WRONG_BODY, Symptom.SUBSYSTEM, Symptom.SUBSYSTEM_DOWN}
)
_BACKGROUND = re.compile(
    r"^(?:.*?\W)?(?:Exception in thread |Exception in callback |(?:Task|Future) exception was never retrieved)",
    re.M,
)


@dataclass(frozen=True)
class Facts:
    """The evidence of one failure with everything that can be computed from it, each part at first use."""

    pack: EvidencePack

    @property
    def symptom(self) -> str:
        """Return what was seen."""
        return self.pack.failure.symptom

    @property
    def process_is_gone(self) -> bool:
        """Return whether no process serves, without our doing."""
        return self.symptom == Symptom.NO_PROCESS or self.pack.process.phase in {"exited", "absent"}

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """Return what changed since last known good; empty also when there is none or the files cannot be read."""
        if self.pack.last_good is None or self.unreadable:
            return ()
        return hunks(self.pack.last_good, self.pack.current)

    @cached_property
    def unreadable(self) -> str:
        """Return why the service's files cannot be read, else "". They are not to be taken for deleted ones then."""
        said = (item.body for item in self.pack.items if item.kind == "unreadable")
        lines = (line for body in said for line in body.splitlines())
        return next((ln.removeprefix("files: ") for ln in lines if ln.startswith("files: ")), "")

    @cached_property
    def changed_environment(self) -> tuple[str, ...]:
        """Return the names of environment variables that differ from last known good."""
        now, before = self.pack.environment, self.pack.last_good_environment
        if before is None:
            return ()
        return tuple(sorted(n for n in {*now, *before} if now.get(n) != before.get(n)))

    @property
    def nothing_changed(self) -> bool:
        """Return whether code, config and environment are known to be those of last known good."""
        known = self.pack.last_good is not None and not self.unreadable
        return known and not self.hunks and not self.changed_environment

    @cached_property
    def code_hunks(self) -> tuple[Hunk, ...]:
        """Return the changes outside of config files."""
        return tuple(hunk for hunk in self.hunks if not is_config(hunk.path))

    @cached_property
    def broken_configs(self) -> tuple[Broken, ...]:
        """Return config files that no longer parse."""
        return broken_configs(self.pack.current, self.pack.last_good)

    @cached_property
    def config_repairs(self) -> frozenset[str]:
        """Return the ids of the hunks of which each alone, put back, lets its broken config file be parsed again."""
        broken = {found.file for found in self.broken_configs}
        return frozenset(
            hunk.id
            for hunk in self.hunks
            if hunk.path in broken and hunk.kind == "changed" and self._parses_without(hunk)
        )

    def _parses_without(self, hunk: Hunk) -> bool:
        back = Revert(path=hunk.path, hunks=(hunk.id,))
        change = apply((back,), self.pack.current, self.pack.last_good, {}, None)
        return problem(hunk.path, change.writes[hunk.path] or b"") is None

    @cached_property
    def changed_values(self) -> tuple[Changed, ...]:
        """Return config values that differ from last known good."""
        return changed_values(self.pack.current, self.pack.last_good, self.hunks)

    @cached_property
    def places(self) -> Places:
        """Return the map from printed paths to the service's files."""
        files = {*self.pack.current, *(self.pack.last_good or {})}
        return Places(self.pack.directory, files)

    def changed(self, file: str, line: int) -> bool:
        """Return whether a line of the current files was changed since last known good."""
        return any(hunk.covers(line) for hunk in self.hunks if hunk.path == file)

    @cached_property
    def chain(self) -> tuple[Trace, ...]:
        """Return the exceptions that this failure printed: of the answer, else the last ones of the log.

        The log of a service that hangs, was stopped or was killed tells of older failures: it is not asked then.
        """
        found = parse(self.pack.failure.traceback)
        if not found and self._log_may_explain:
            found = self._from_log()
        return last_chain(found)

    @property
    def _log_may_explain(self) -> bool:
        ended_by_exception = not self.pack.process.signal and self.pack.process.exit_code in {
            None,
            1,
        }
        return self.symptom in _LOG_EXPLAINS and (ended_by_exception or not self.process_is_gone)

    def _from_log(self) -> tuple[Trace, ...]:
        found = parse(self.pack.log_tail)
        wanted = self.pack.failure.error_type.rpartition(".")[2]
        named = [at for at, trace in enumerate(found, 1) if trace.name == wanted]
        return found[: named[-1]] if named else found

    @cached_property
    def culprit(self) -> Culprit | None:
        """Return the place that the exception points at; None without an exception."""
        return find_culprit(self.chain, self.places, self.changed)

    @cached_property
    def background(self) -> Culprit | None:
        """Return the last exception that Python itself reported of a thread, task or callback; None without one."""
        heads = list(_BACKGROUND.finditer(self.pack.log_tail))
        if not heads:
            return None
        reported = parse(self.pack.log_tail[heads[-1].start() :])
        own = [at for at, trace in enumerate(reported) if at and not trace.relation]
        return find_culprit(reported[: own[0]] if own else reported, self.places, self.changed)

    @cached_property
    def stuck(self) -> Stuck | None:
        """Return where the running process sits; None without stacks or when all threads wait for work."""
        return find_stuck(parse_stacks(self.pack.stacks), self.places, self.changed)

    @cached_property
    def said(self) -> str:
        """Return the texts in which an error may be named: the failure's own and, if it may explain it, the log's end."""
        own = f"{self.pack.failure.error_type} {self.pack.failure.detail}\n{self.pack.failure.traceback}"
        return own + ("\n" + self.pack.log_tail[-RECENT_LOG:] if self._log_may_explain else "")

    @cached_property
    def error_text(self) -> str:
        """Return the exceptions of this failure in words, or without any what `said` has: older errors in the log
        must not speak for a failure that speaks for itself."""
        lines = [f"{trace.type}: {trace.message}" for trace in self.chain]
        return "\n".join([self.pack.failure.detail, *lines]) if lines else self.said

    @property
    def was_killed(self) -> bool:
        """Return whether a signal ended the process."""
        return self.process_is_gone and bool(self.pack.process.signal)

    def source(self, file: str, line: int | None) -> str:
        """Return a line of the current files, "" where there is none."""
        lines = (as_text(self.pack.current.get(file, b"")) or "").split("\n")
        return lines[line - 1].strip() if line and 0 < line <= len(lines) else ""

    def cite(self, *kinds: str) -> tuple[str, ...]:
        """Return the ids of the evidence of these kinds, in the order of the evidence."""
        return tuple(item.id for item in self.pack.items if item.kind in kinds)


def number(measured: Mapping[str, object], key: str) -> float | None:
    """Return a measured number, None where it was not measured."""
    value = measured.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
