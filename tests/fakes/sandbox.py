"""A sandbox that runs nothing: it answers as a function of the tree says, so that pipeline tests take no processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from incidents.ports import Box, SandboxError
from incidents.values import BoxPlan, BoxUsage, StartUp
from monitoring.check_commands import CheckRun
from monitoring.values import Answer, HttpRequest, Tree

Responder = Callable[[Tree, HttpRequest], Answer]
Starter = Callable[[Tree], StartUp]


def starts(_: Tree) -> StartUp:
    """Start every tree at once."""
    return StartUp(answered=True, seconds=0.01)


@dataclass
class FakeSandbox:
    """Makes `FakeBox`es; `opened` keeps the plans and `boxes` the boxes, for tests to look at.

    `refuse` is the text of a SandboxError that every `open` raises, when set.
    """

    respond: Responder
    start: Starter = starts
    refuse: str = ""
    isolation: str = "fake"
    name: str = "fake"
    opened: list[BoxPlan] = field(default_factory=list)
    boxes: list[FakeBox] = field(default_factory=list)

    def prepare(self) -> None:
        """Find out nothing."""

    def open(self, plan: BoxPlan) -> Box:
        """Return a box that answers from the plan's tree."""
        if self.refuse:
            raise SandboxError(self.refuse, permanent=True)
        self.opened.append(plan)
        box = FakeBox(plan=plan, sandbox=self, isolation=self.isolation)
        self.boxes.append(box)
        return box


@dataclass
class FakeBox:
    """One box of the fake; `asked` keeps the requests in order."""

    plan: BoxPlan
    sandbox: FakeSandbox
    isolation: str
    asked: list[HttpRequest] = field(default_factory=list)
    running: bool = False
    closed: bool = False

    def start(self) -> StartUp:
        """Answer as the sandbox's `start` says."""
        result = self.sandbox.start(self.plan.tree)
        self.running = result.answered
        return result

    def ask(self, request: HttpRequest, timeout: float) -> Answer:
        """Answer as the sandbox's `respond` says, within the timeout as a real box would."""
        self.asked.append(request)
        if not self.running:
            return Answer(failure="refused")
        answer = self.sandbox.respond(self.plan.tree, request)
        if answer.elapsed_ms > timeout * 1000:
            return Answer(failure="timeout", elapsed_ms=timeout * 1000)
        return answer

    def check(self, words: tuple[str, ...], seconds: float) -> CheckRun:
        """Run nothing."""
        return CheckRun(ran=False, why="the fake runs nothing")

    def close(self) -> BoxUsage:
        """Stop answering."""
        self.running = False
        self.closed = True
        return BoxUsage(cpu_seconds=0.01, peak_memory_bytes=1_000_000)
