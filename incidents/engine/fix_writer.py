"""The fix writer that needs no model: it only puts back what is known to have worked, or starts again what stopped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from incidents.engine.config_edits import value_edit
from incidents.engine.facts import Facts
from incidents.engine.hunks import Hunk
from incidents.engine.patches import PatchError, apply, check_paths
from incidents.engine.suspects import ranked, suspicion
from incidents.values import (
    Action,
    Category,
    DiagnosisDraft,
    EvidencePack,
    FixDraft,
    Restart,
    Revert,
    RevertEnvironment,
    Wishes,
    actions_to_json,
    digest_of,
)
from monitoring.values import Symptom

MAX_CANDIDATES = 6
EXPLAINS = 50
MAX_SINGLE = 3
_NETWORK = re.compile(r"url|host|port|addr|timeout|http|socket|dsn", re.IGNORECASE)
_NATIVE_FAULT = frozenset(
    {6, 7, 11, 24, 25}
)  # ABRT, BUS, SEGV, XCPU, XFSZ: what the process does can cause them
_NOT_PUT_RIGHT_BY_RESTART = re.compile(r"disk|quota|already listens|may not listen", re.IGNORECASE)
_LOST_UPDATES = "What the change was made for is lost until it is made again correctly."


@dataclass(frozen=True)
class _Case:
    pack: EvidencePack
    diagnosis: DiagnosisDraft

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.pack)

    @cached_property
    def suspects(self) -> tuple[Hunk, ...]:
        """Return the hunks that may be put back, those at the diagnosed line first."""
        file, line = self.diagnosis.file, self.diagnosis.line
        order = [h for h in ranked(self.facts) if self._is_worth_trying(h)]
        return tuple(sorted(order, key=lambda h: not (h.path == file and line and h.covers(line))))

    @property
    def explained(self) -> bool:
        """Return whether a change would explain what was seen."""
        values = self.diagnosis.category is Category.CONFIG and bool(self.suspects)
        named = bool(self.diagnosis.file) and any(
            h.path == self.diagnosis.file for h in self.suspects
        )
        return values or named or any(suspicion(h, self.facts) >= EXPLAINS for h in self.suspects)

    def _is_worth_trying(self, hunk: Hunk) -> bool:
        if self.diagnosis.category is not Category.DEPENDENCY:
            return True
        return _NETWORK.search("".join((*hunk.old_lines, *hunk.new_lines))) is not None


class BuiltInFixWriter:
    """Proposes reverts of suspected changes and restarts, smallest first; never new code."""

    name = "built-in"

    def propose(
        self, pack: EvidencePack, diagnosis: DiagnosisDraft, wishes: Wishes
    ) -> list[FixDraft]:
        """Return up to six candidates, best first; empty when putting back or starting again cannot help.

        Nothing is proposed while the files cannot be read: a stop would be certain then, and a start would not.
        """
        case = _Case(pack, diagnosis)
        if case.facts.unreadable:
            return []
        seen: set[str] = set()
        kept: list[FixDraft] = []
        for draft in (draft for source in _SOURCES for draft in source(case)):
            effect = _effect(pack, draft)
            refused = digest_of(actions_to_json(draft.actions)) in wishes.refused_digests
            if effect and effect not in seen and not refused:
                kept.append(draft)
            seen.add(effect)
        return kept[:MAX_CANDIDATES]


def _restart(case: _Case) -> Iterator[FixDraft]:
    """A restart comes first and alone where nothing in the code explains the end, and never hides a suspect."""
    if not _restart_may_help(case):
        return
    yield FixDraft(
        actions=(Restart(),),
        explanation="Start the process again: nothing in its files explains why it stopped working.",
        risks="Requests that are being answered at that moment are lost. If the cause is still there, it comes back.",
    )


def _restart_may_help(case: _Case) -> bool:
    category, process = case.diagnosis.category, case.pack.process
    if process.state in {"T", "t"}:
        return True
    if category is Category.CRASH and process.signal:
        return process.signal not in _NATIVE_FAULT or not case.explained
    if case.pack.failure.symptom == Symptom.RESOURCES:
        return False  # only after the changes, of which a trial may show one to be the cause
    if category is Category.RESOURCE:
        return not case.explained and not _NOT_PUT_RIGHT_BY_RESTART.search(
            case.diagnosis.root_cause
        )
    if category in {Category.CRASH, Category.HANG, Category.SLOW}:
        return not case.suspects
    return case.pack.failure.symptom in {Symptom.NO_PROCESS, Symptom.REFUSED} and (
        category is Category.UNKNOWN and not case.suspects
    )


def _paused_or_killed(case: _Case) -> bool:
    """Return whether something outside ended or paused the process: its files are not to blame (yet)."""
    process = case.pack.process
    if process.state in {"T", "t"}:
        return True
    outside = bool(process.signal) and process.signal not in _NATIVE_FAULT
    return case.facts.process_is_gone and outside and not case.pack.similar


def _config_values(case: _Case) -> Iterator[FixDraft]:
    last_good = case.pack.last_good
    if last_good is None or case.diagnosis.category is not Category.CONFIG:
        return
    for change in case.facts.changed_values[:MAX_SINGLE]:
        edit = value_edit(change, case.facts.hunks, case.pack.current, last_good)
        if edit is not None and change.key in case.diagnosis.root_cause:
            yield FixDraft(
                actions=(edit,),
                explanation=f"Put one setting of {change.file} back to its last known good value: {change.words()}.",
                risks=_LOST_UPDATES,
            )


def _environment(case: _Case) -> Iterator[FixDraft]:
    names = case.facts.changed_environment
    named = [name for name in names if name in case.diagnosis.root_cause]
    for chosen in [*([name] for name in named), list(names)]:
        if chosen:
            yield FixDraft(
                actions=(RevertEnvironment(names=tuple(chosen)),),
                explanation=f"Put {_list(chosen)} of the environment back to the last known good value.",
                risks=_LOST_UPDATES,
            )


def _single_hunks(case: _Case) -> Iterator[FixDraft]:
    file = case.diagnosis.file
    likely = [
        hunk
        for hunk in case.suspects
        if suspicion(hunk, case.facts) >= EXPLAINS or hunk.path == file or len(case.suspects) == 1
    ]
    for hunk in likely[:MAX_SINGLE]:
        yield FixDraft(
            actions=(Revert(path=hunk.path, hunks=(hunk.id,)),),
            explanation=f"{_what(hunk)} back to the last known good version.",
            risks=_LOST_UPDATES,
        )


def _explaining_together(case: _Case) -> Iterator[FixDraft]:
    """Several changes that each explain the failure may all be needed: two faults, or a rename's two halves."""
    strong = [hunk for hunk in case.suspects if suspicion(hunk, case.facts) >= EXPLAINS]
    halves = {hunk.linked for hunk in strong if hunk.linked}
    chosen = [hunk for hunk in case.suspects if hunk in strong or hunk.id in halves]
    if len(chosen) > 1:
        yield FixDraft(
            actions=_reverts(chosen),
            explanation=f"Put back the {len(chosen)} changes that may explain it ({_list(_files(chosen))}).",
            risks=_LOST_UPDATES,
        )


def _whole_file(case: _Case) -> Iterator[FixDraft]:
    paths = [case.diagnosis.file, *(hunk.path for hunk in case.suspects[:1])]
    for path in dict.fromkeys(paths):
        if any(hunk.path == path for hunk in case.suspects):
            yield FixDraft(
                actions=(Revert(path=path),),
                explanation=f"Put the whole of {path} back to the last known good version.",
                risks=f"Every change of {path} since then is undone. {_LOST_UPDATES}",
            )


def _everything(case: _Case) -> Iterator[FixDraft]:
    if not case.suspects or case.diagnosis.category is Category.DEPENDENCY:
        return
    names = case.facts.changed_environment
    actions: tuple[Action, ...] = tuple(Revert(path=path) for path in _files(case.facts.hunks))
    if names:
        actions += (RevertEnvironment(names=names),)
    yield FixDraft(
        actions=actions,
        explanation=f"Put all {len(case.facts.hunks)} changes since last known good back ({_list(_files(case.facts.hunks))}).",
        risks="Every change since then is undone, also those that work. " + _LOST_UPDATES,
    )


def _begin_anew(case: _Case) -> Iterator[FixDraft]:
    """What piled up is gone with the process; the trial refuses this where it sees that a change is the cause."""
    if case.pack.failure.symptom == Symptom.RESOURCES:
        yield FixDraft(
            actions=(Restart(),),
            explanation="Start the process again: what it has piled up is let go. This repairs no cause.",
            risks="Requests that are being answered at that moment are lost. It will most likely pile up again.",
        )


def _unless_outside(
    source: Callable[[_Case], Iterator[FixDraft]],
) -> Callable[[_Case], Iterator[FixDraft]]:
    return lambda case: iter(()) if _paused_or_killed(case) else source(case)


_SOURCES: tuple[Callable[[_Case], Iterator[FixDraft]], ...] = (
    _restart,
    _begin_anew,
    *map(
        _unless_outside,
        (
            _config_values,
            _environment,
            _single_hunks,
            _explaining_together,
            _whole_file,
            _everything,
        ),
    ),
)


def _effect(pack: EvidencePack, draft: FixDraft) -> str:
    """Return a name for what a draft does, "" when it cannot or may not be done: two drafts of one effect are one."""
    try:
        change = apply(
            draft.actions,
            pack.current,
            pack.last_good,
            pack.environment,
            pack.last_good_environment,
        )
        check_paths(change.writes, pack.editable_globs, pack.protected)
    except PatchError:
        return ""
    writes = {path: None if data is None else data.hex() for path, data in change.writes.items()}
    return digest_of([writes, change.environment])


def _reverts(hunks: Sequence[Hunk]) -> tuple[Action, ...]:
    return tuple(
        Revert(path=path, hunks=tuple(hunk.id for hunk in hunks if hunk.path == path))
        for path in _files(hunks)
    )


def _files(hunks: Sequence[Hunk]) -> list[str]:
    return list(dict.fromkeys(hunk.path for hunk in hunks))


def _what(hunk: Hunk) -> str:
    match hunk.kind:
        case "added":
            return f"Take the new file {hunk.path} away to get"
        case "deleted":
            return f"Bring the deleted file {hunk.path}"
        case "binary":
            return f"Put the file {hunk.path}"
    first, last = hunk.new_start, hunk.new_start + max(len(hunk.new_lines), 1) - 1
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return (
        f"Put {lines} of {hunk.path}"
        if hunk.new_lines
        else f"Put what was removed at {lines} of {hunk.path}"
    )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")
