"""What every runtime must do, whatever it runs on: mixed into one test class for each adapter.

The class gives a fixture `target`: a runtime and the spec of a stopped service whose `server.py` answers GET with its
process number (or $GREETING), whose editable globs are `*.py` and `config/*.json` and whose data globs `data/**`.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from typing import Any

import pytest

from monitoring.ports import TargetError
from monitoring.providers import Runtime
from monitoring.values import Answer, HttpRequest, ServiceSpec
from tests.monitoring.runtime.helpers import until


@dataclass
class Target:
    """What a contract test works on."""

    runtime: Runtime
    spec: ServiceSpec

    def get(self, path: str = "/") -> Answer:
        return self.runtime.request(self.spec, HttpRequest(path=path), 2.0)

    def answering(self) -> bytes:
        return bytes(until(lambda: (answer := self.get()).status == 200 and answer.body))


class RuntimeContract:
    """Tests of TargetReader and TargetWriter."""

    def test_a_service_that_was_never_started_is_absent(self, target: Target) -> None:
        assert target.runtime.process(target.spec).phase == "absent"
        assert target.get().failure == "refused"

    def test_a_started_service_runs_and_answers(self, target: Target) -> None:
        state = target.runtime.start(target.spec)
        assert state.phase == "running"
        assert state.pid
        assert state.started_at
        assert target.answering()

    def test_starting_twice_leaves_the_first_process(self, target: Target) -> None:
        first = target.runtime.start(target.spec)
        assert target.runtime.start(target.spec).pid == first.pid

    def test_a_stop_is_planned_and_frees_the_port(self, target: Target) -> None:
        target.runtime.start(target.spec)
        target.answering()
        assert target.runtime.stop(target.spec).phase == "stopped"
        assert target.get().failure == "refused"
        assert target.runtime.start(target.spec).phase == "running"

    def test_stopping_twice_is_stopped(self, target: Target) -> None:
        target.runtime.start(target.spec)
        target.runtime.stop(target.spec)
        assert target.runtime.stop(target.spec).phase == "stopped"

    def test_a_restart_is_a_new_process_with_the_present_environment(self, target: Target) -> None:
        first = target.runtime.start(target.spec)
        target.answering()
        changed = replace(target.spec, environment={"GREETING": "hello again"})
        again = target.runtime.restart(changed)
        assert again.generation == first.generation + 1
        assert target.answering() == b"hello again"

    def test_one_that_hangs_is_a_new_process_too(self, target: Target) -> None:
        first = target.runtime.start(target.spec)
        target.answering()
        again = target.runtime.restart(target.spec, hung=True)
        assert again.generation == first.generation + 1

    def test_a_killed_process_exited_unplanned_by_its_signal(self, target: Target) -> None:
        target.runtime.start(target.spec)
        target.answering()
        target.runtime.kill(target.spec, signal.SIGKILL)
        state = until(lambda: (s := target.runtime.process(target.spec)).phase == "exited" and s)
        assert state.signal == signal.SIGKILL
        assert state.exit_code is None
        assert target.runtime.start(target.spec).phase == "running"

    def test_killing_what_does_not_run_is_an_error(self, target: Target) -> None:
        with pytest.raises(TargetError, match=target.spec.slug):
            target.runtime.kill(target.spec, signal.SIGKILL)

    def test_the_output_is_in_the_log(self, target: Target) -> None:
        target.runtime.start(target.spec)
        assert until(lambda: b"started" in target.runtime.read_log(target.spec, 10_000))
        assert len(target.runtime.read_log(target.spec, 7)) == 7

    def test_the_tree_is_what_was_written(self, target: Target) -> None:
        before = target.runtime.read_tree(target.spec)
        files: dict[str, Any] = {"config/a.json": b'{"a": 1}', "new.py": b"# \xff\x00 no UTF-8\r\n"}
        target.runtime.write(target.spec, files)
        assert target.runtime.read_tree(target.spec) == {**before, **files}
        target.runtime.write(target.spec, dict.fromkeys(files))
        assert target.runtime.read_tree(target.spec) == before

    @pytest.mark.parametrize(
        "path",
        [
            "../out.py",
            "/etc/out.py",
            "a/../../out.py",
            "data/x.py",
            "note.txt",
            "",
            ".",
            "a\\b.py",
            "config//a.json",
        ],
    )
    def test_nothing_is_written_outside_the_globs(self, target: Target, path: str) -> None:
        before = target.runtime.read_tree(target.spec)
        with pytest.raises(TargetError) as refused:
            target.runtime.write(target.spec, {"server.py": b"# changed", path: b"bad"})
        assert refused.value.permanent
        assert target.runtime.read_tree(target.spec) == before

    def test_a_stack_is_text_also_of_what_does_not_run(self, target: Target) -> None:
        assert "absent" in target.runtime.stack(target.spec)
        target.runtime.start(target.spec)
        target.answering()
        assert "serve_forever" in target.runtime.stack(target.spec)

    def test_bad_answers_are_bounded_and_never_raise(self, target: Target) -> None:
        target.runtime.start(target.spec)
        target.answering()
        endless = target.get("/endless")
        assert endless.truncated
        assert len(endless.body) <= 1_000_000
        assert target.get("/binary").body == bytes(range(256)) * 40
        hung = target.runtime.request(target.spec, HttpRequest(path="/hang"), 0.3)
        assert hung.failure == "timeout"
        assert hung.elapsed_ms < 1500
