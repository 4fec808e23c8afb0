"""Check commands as data: what a manager may write, and what a run of one says."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.check_commands import CheckCommand, CheckRun, check_command
from monitoring.configuration import problems
from monitoring.models import Service
from monitoring.operations import probe_due
from monitoring.ports import TargetError
from monitoring.values import Health, ServiceSpec
from tests.fakes.prober import ScriptedProber
from tests.monitoring.conftest import Clock, MakeService, ScriptedRuntime

GOOD: dict[str, Any] = {"name": "stock", "command": ["python3", "check.py", "{port}"], "seconds": 2}


def test_a_command_is_read_with_its_name_and_limit() -> None:
    found = check_command(GOOD)
    assert (found.name, found.words, found.seconds) == (
        "stock",
        ("python3", "check.py", "{port}"),
        2.0,
    )
    assert check_command({"command": ["./check.sh"]}).name == "./check.sh"
    assert check_command({"command": ["./check.sh"]}).seconds == 5.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": "python3 check.py"}, '"command" is a list of 1 to 20 words'),
        ({"command": []}, '"command" is a list of 1 to 20 words'),
        ({"command": ["a"] * 21}, '"command" is a list of 1 to 20 words'),
        ({"command": ["python3", ""]}, 'Every word of "command"'),
        ({"command": ["python3", 7]}, 'Every word of "command"'),
        ({"command": ["a\0b"]}, 'Every word of "command"'),
        ({"command": ["a" * 301]}, 'Every word of "command"'),
        ({"seconds": 0}, '"seconds" is a number above 0, at most 10.'),
        ({"seconds": 11}, '"seconds" is a number above 0, at most 10.'),
        ({"seconds": True}, '"seconds" is a number above 0, at most 10.'),
        ({"seconds": "5"}, '"seconds" is a number above 0, at most 10.'),
        ({"seconds": float("nan")}, '"seconds" is a number above 0, at most 10.'),
        ({"name": ""}, "The name of a check command"),
        ({"name": 3}, "The name of a check command"),
        ({"shell": True}, "does not know 'shell'"),
        ({"request": {"path": "/"}}, "does not know 'request'"),
    ],
)
def test_a_wrong_command_is_refused_in_words(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_command({**GOOD, **changes})
    assert said in str(caught.value)


def test_a_service_with_a_wrong_command_is_refused_with_its_number(
    make_service: MakeService,
) -> None:
    service = make_service(invariants=[GOOD, {"command": "rm -rf /"}])
    (said,) = problems(service)["invariants"]
    assert said.startswith('Invariant 2: "command" is a list')
    service.invariants = [GOOD]
    assert "invariants" not in problems(service)


@pytest.mark.parametrize(
    ("run", "broken"),
    [
        (CheckRun(ran=True, exit_code=0, output="all is well"), ""),
        (CheckRun(ran=False, why="no way"), ""),
        (CheckRun(ran=True, exit_code=2, output=" stock\n -3 "), "exit code 2: stock -3"),
        (CheckRun(ran=True, exit_code=1), "exit code 1"),
        (CheckRun(ran=True, exit_code=None, output="so far"), "no end within 5 s: so far"),
    ],
)
def test_only_code_0_holds(run: CheckRun, broken: str) -> None:
    assert run.broken(5) == broken


class Checks:
    """What the runtime's checks say, one after the other, the last one for ever."""

    def __init__(self, *runs: CheckRun | TargetError) -> None:
        self.runs, self.asked = list(runs), 0

    def check(self, spec: ServiceSpec, command: CheckCommand) -> CheckRun:
        self.asked += 1
        run = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
        if isinstance(run, TargetError):
            raise run
        return run


HOLDS, BROKEN = CheckRun(ran=True, exit_code=0), CheckRun(ran=True, exit_code=1, output="stock -3")


@pytest.fixture
def shop(make_service: MakeService) -> Service:
    return make_service(
        invariants=[GOOD], deep_every=1, failures_before_incident=1, successes_before_recovery=1
    )


def probed(shop: Service, clock: Clock) -> Health:
    probe_due(now=clock.forward(5), prober=ScriptedProber())
    shop.health.refresh_from_db()
    return Health(shop.health.state)


def test_a_deep_probe_runs_the_checks_and_their_word_counts(
    shop: Service, clock: Clock, runtime: ScriptedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = Checks(HOLDS, BROKEN, CheckRun(ran=True, exit_code=1, output="stock -4"), HOLDS)
    monkeypatch.setattr(runtime, "check", checks.check, raising=False)
    assert probed(shop, clock) is Health.HEALTHY
    assert probed(shop, clock) is Health.DEGRADED
    verdict = shop.health.verdict
    assert (verdict["symptom"], verdict["error_type"]) == ("wrong_answer", "stock")
    assert verdict["detail"] == "exit code 1: stock -3"
    assert probed(shop, clock) is Health.DEGRADED
    assert shop.changes.exclude(after="healthy").count() == 1, "other words are no other failure"
    assert probed(shop, clock) is Health.HEALTHY
    assert checks.asked == 4


def test_a_check_that_cannot_be_run_is_no_failure_and_no_shallow_probe_runs_it(
    shop: Service, clock: Clock, runtime: ScriptedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = Checks(TargetError("no such directory"), CheckRun(ran=False, why="not here"))
    monkeypatch.setattr(runtime, "check", checks.check, raising=False)
    Service.objects.filter(pk=shop.pk).update(deep_every=2)
    assert [probed(shop, clock) for _ in range(4)] == [Health.HEALTHY] * 4
    assert checks.asked == 2
