"""What a diagnostician may do before it answers: ask a copy of the broken service, and try actions on a copy.

Everything runs in the sandbox of the service's runtime, as in a trial. What comes back from a tried fix is a verdict in
our own words, never what the copy said: code that a model wrote could say any secret of the service in any disguise.
The words are no receipt either; the trial step tries the chosen fix again.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from incidents.engine import patches, receipts, tracebacks
from incidents.engine.reviewer import BuiltInReviewer
from incidents.models import Incident
from incidents.pipeline.proving import Asked, Copy, Version, run_copy
from incidents.pipeline.scripts import Script, script_of
from incidents.pipeline.tools import Tools
from incidents.ports import SandboxError
from incidents.values import Action, EvidencePack, ProposedChange, Workbench
from monitoring.values import Answer, HttpRequest, Tree


def workbench_of(incident: Incident, tools: Tools, pack: EvidencePack) -> Workbench:
    """Return the workbench of this attempt; nothing is started before it is used."""
    bench = _Bench(incident, tools, pack)
    return Workbench(ask=bench.ask, attempt=bench.attempt)


@dataclass
class _Bench:
    incident: Incident
    tools: Tools
    pack: EvidencePack
    _shared: list[Copy] = field(default_factory=list)

    def ask(self, request: HttpRequest) -> Answer:
        try:
            return self._run(
                "ask", self.pack.current, self.pack.environment, Asked(requests=(request,))
            ).answers[0]
        except SandboxError as error:
            return Answer(failure=f"no copy can be had: {error}")

    def attempt(self, actions: tuple[Action, ...]) -> str:
        try:
            tree, environment = self._changed(actions)
            if objection := self._objection(actions, tree):
                return f"Refused by the safety review: {objection}"
            fixed, (without, *references) = self._side_by_side(tree, environment)
            receipt = receipts.judge(
                script=self._script, fixed=fixed, without=without, references=references
            )
        except patches.PatchError as error:
            return f"Refused: {error}"
        except SandboxError as error:
            return f"A trial is not possible here: {error}"
        if receipt.passed:
            return "It passes: the copy starts, what failed works, and what was good answers as before."
        return _why_not(fixed, receipt, tree)

    def _objection(self, actions: tuple[Action, ...], tree: Tree) -> str:
        """Return why the built-in reviewer would not let the fix pass, before any of its code runs."""
        pack = self.pack
        paths = [
            path for path in {*pack.current, *tree} if pack.current.get(path) != tree.get(path)
        ]
        after = {path: tree.get(path) for path in sorted(paths)}
        verdict = BuiltInReviewer().review(
            ProposedChange(
                service=pack.service,
                actions=actions,
                before=pack.current,
                after=after,
                diff=patches.unified_diff(pack.current, after),
                editable_globs=pack.editable_globs,
                author="a diagnostician",
                environment=pack.environment,
            )
        )
        return "" if verdict.passed else verdict.note

    def _changed(self, actions: tuple[Action, ...]) -> tuple[Tree, dict[str, str]]:
        pack = self.pack
        change = patches.apply(
            actions, pack.current, pack.last_good, pack.environment, pack.last_good_environment
        )
        patches.check_paths(change.writes, pack.editable_globs, pack.protected)
        merged = {**pack.current, **change.writes}
        tree = {path: data for path, data in merged.items() if data is not None}
        return tree, dict(pack.environment if change.environment is None else change.environment)

    @cached_property
    def _script(self) -> Script:
        return script_of(self.incident, self.pack)

    def _side_by_side(self, tree: Tree, environment: Mapping[str, str]) -> tuple[Copy, list[Copy]]:
        """Return the copy with the fix, and the shared ones, which are run once: as it is, and last known good twice
        (what differs between these two is noise). A model waits for this, and an incident for the model."""
        asked, pack = self._script.asked, self.pack
        versions = {} if self._shared else {"as-is": (pack.current, pack.environment)}
        if not self._shared and pack.last_good is not None:
            good = (pack.last_good, pack.last_good_environment or pack.environment)
            versions |= {"good-a": good, "good-b": good}
        with ThreadPoolExecutor(max_workers=4) as pool:
            fixed = pool.submit(self._run, "attempt", tree, environment, asked)
            runs = [pool.submit(self._run, name, *of, asked) for name, of in versions.items()]
            self._shared = self._shared or [run.result() for run in runs]
            return fixed.result(), self._shared

    def _run(
        self,
        name: str,
        tree: Tree,
        environment: Mapping[str, str],
        asked: Asked,
    ) -> Copy:
        version = Version(name=name, tree=tree, environment=environment)
        return run_copy(self.incident, self.tools, version, asked)


def _why_not(fixed: Copy, receipt: receipts.Receipt, tree: Tree) -> str:
    """Return what failed: the request and its status, and where an exception came from, in words of ours."""
    crash = _crash(fixed, tree)
    if not fixed.startup.answered:
        return f"It does not pass: the copy did not start.{crash}"
    lines = receipt.body.get("requests", [])
    wrong = next((line for line in lines if line["verdict"] not in {"ok", "not judged"}), None)
    if wrong is None:
        return "It does not pass: no failing request could be judged."
    what = (
        f"{wrong['method']} {wrong['path']} {wrong['verdict']} (status {wrong['after']['status']})"
    )
    return f"It does not pass: {what}.{crash}"


def _crash(fixed: Copy, tree: Tree) -> str:
    said = [fixed.log_tail, *(answer.body.decode("utf-8", "replace") for answer in fixed.answers)]
    for trace in (tracebacks.root(tracebacks.parse(text)) for text in said):
        frame = (
            next((f for f in reversed(trace.frames) if _in(f.path, tree)), None) if trace else None
        )
        if trace and frame:
            known = isinstance(getattr(builtins, trace.name, None), type)
            name = trace.name if known else "an exception"
            return f" It raised {name} at {_in(frame.path, tree)}, line {frame.line}."
    return ""


def _in(path: str, tree: Tree) -> str:
    """Return the file of the tree that a frame's path means, or an empty text."""
    return next((name for name in tree if path == name or path.endswith(f"/{name}")), "")
