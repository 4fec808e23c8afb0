"""A prober without a network: it replays scripted answers in the order of the calls' start times."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence

from monitoring.ports import Call
from monitoring.values import Answer

HEALTHY = Answer(
    status=200,
    headers={"content-type": "application/json"},
    body=b'{"status": "ok"}',
    elapsed_ms=4.0,
)


class ScriptedProber:
    """Answers each path from its own script; the last answer of a script is repeated, `HEALTHY` without a script."""

    def __init__(self) -> None:
        self.asked: list[Call] = []
        self._scripts: dict[tuple[str, str], deque[Answer]] = defaultdict(deque)

    def script(self, path: str, *answers: Answer, base_url: str = "") -> None:
        """Replace what is answered for a path (of one service, or of all without a base address)."""
        self._scripts[base_url, path] = deque(answers)

    def ask(self, calls: Sequence[Call], on_answer: Callable[[Call, Answer], None]) -> None:
        for call in sorted(calls, key=lambda one: one.start_in):
            self.asked.append(call)
            on_answer(call, self._next(call))

    def _next(self, call: Call) -> Answer:
        for key in ((call.base_url, call.request.path), ("", call.request.path)):
            answers = self._scripts.get(key)
            if answers:
                return answers.popleft() if len(answers) > 1 else answers[0]
        return HEALTHY
