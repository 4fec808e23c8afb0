"""Attempts to break out of a box, at each level. What a level cannot stop is asserted too: it is documented."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from agentops_site.integrations.isolation import landlock
from agentops_site.integrations.isolation.cage import Limits
from agentops_site.integrations.isolation.levels import KNOWN_GAPS, Level
from agentops_site.integrations.isolation.probe import offers
from tests.integrations.isolation.conftest import Attempt, Result, attempt_at

PROJECT = Path(__file__).parents[3]


def judge(result: Result, level: Level) -> None:
    """Walled levels refuse; `rlimits only` is known not to, and that it says so is held here."""
    if level is Level.RLIMITS:
        assert result.succeeded, f"rlimits stops more than is documented: {result.output}"
        assert KNOWN_GAPS[level]
    else:
        assert not result.succeeded, f"broke out: {result.output}"
        assert result.exit.code == 1, "the attempt itself must have run"
        assert "Error" in result.output


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file with a key, beside the box's folder."""
    path = tmp_path / "secret"
    path.write_text("sk-live-1")
    return path


def test_it_cannot_read_a_secret_beside_its_folder(
    attempt: Attempt, level: Level, secret: Path
) -> None:
    judge(attempt("read_file", secret), level)


def test_it_cannot_read_a_secret_by_a_relative_path(
    attempt: Attempt, level: Level, secret: Path
) -> None:
    judge(attempt("read_file", f"../{secret.name}"), level)


def test_it_cannot_read_a_secret_through_a_link(
    attempt: Attempt, level: Level, tmp_path: Path, secret: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "link").symlink_to(f"../{secret.name}")
    judge(attempt("read_file", "link"), level)


def test_it_cannot_list_the_project(attempt: Attempt, level: Level) -> None:
    judge(attempt("list_folder", PROJECT), level)


def test_it_cannot_write_outside(attempt: Attempt, level: Level, tmp_path: Path) -> None:
    result = attempt("write_file", tmp_path / "outside")
    if level is not Level.NAMESPACES or not tmp_path.is_relative_to("/tmp"):  # noqa: S108
        judge(
            result, level
        )  # in namespaces /tmp is the box's own: it may write there, and nobody sees it
    assert (tmp_path / "outside").exists() is (level is Level.RLIMITS)


def test_what_it_writes_to_tmp_stays_inside(attempt: Attempt, level: Level) -> None:
    mark = Path("/tmp") / f"agentops-mark-{os.getpid()}"  # noqa: S108
    try:
        attempt("write_file", mark)
        assert mark.exists() is (level is Level.RLIMITS)
    finally:
        mark.unlink(missing_ok=True)


def test_it_cannot_reach_a_port_of_the_host(attempt: Attempt, level: Level, tcp_port: int) -> None:
    judge(attempt("connect_tcp", tcp_port), level)


def test_it_cannot_send_udp(attempt: Attempt, level: Level, udp_port: int) -> None:
    judge(attempt("send_udp", udp_port), level)


def test_it_cannot_reach_a_unix_socket(attempt: Attempt, level: Level, unix_path: str) -> None:
    judge(attempt("connect_unix", unix_path), level)


def test_it_cannot_reach_an_abstract_socket(
    attempt: Attempt, level: Level, abstract_name: str
) -> None:
    judge(attempt("connect_abstract", abstract_name), level)


@pytest.mark.parametrize("how", ["kill", "kill_thread"])
def test_it_cannot_signal_a_sibling(
    attempt: Attempt, level: Level, sibling: subprocess.Popen[bytes], how: str
) -> None:
    judge(attempt(how, sibling.pid), level)
    if level is not Level.RLIMITS:
        assert sibling.poll() is None


def test_it_cannot_read_the_environment_of_a_sibling(
    attempt: Attempt, level: Level, sibling: subprocess.Popen[bytes]
) -> None:
    if level is Level.RLIMITS and os.geteuid() == 0:
        assert not attempt("read_environ", sibling.pid).succeeded, "root without its powers"
        return
    judge(attempt("read_environ", sibling.pid), level)


def test_it_cannot_make_itself_root_in_a_namespace(attempt: Attempt, level: Level) -> None:
    if level is Level.RLIMITS:
        pytest.skip("depends on the machine's own settings at this level")
    judge(attempt("new_namespace"), level)


def test_it_gets_no_key_of_ours(
    attempt: Attempt, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
    monkeypatch.setenv("REDIS_URL", "redis://:password@127.0.0.1/0")
    result = attempt("own_environ", environment={"SHOP_MODE": "trial"})
    assert result.succeeded
    assert "sk-ant-1" not in result.output
    assert "password" not in result.output
    assert "'SHOP_MODE': 'trial'" in result.output


def test_a_fork_bomb_is_bounded(attempt: Attempt, level: Level) -> None:
    if level is not Level.NAMESPACES and os.geteuid() == 0:
        pytest.skip("the kernel does not count root's processes: known at this level")
    result = attempt("fork_many", 200, limits=Limits(wall_seconds=15, processes=40))
    assert result.succeeded
    assert int(result.output) < 60


def test_memory_is_bounded(attempt: Attempt) -> None:
    result = attempt(
        "use_memory", 600_000_000, limits=Limits(wall_seconds=15, memory_bytes=300_000_000)
    )
    assert "MemoryError" in result.output


def test_file_size_is_bounded(attempt: Attempt) -> None:
    result = attempt("use_disk", 3_000_000, limits=Limits(wall_seconds=15, file_bytes=1_000_000))
    assert not result.succeeded
    assert result.exit.signal is not None or "File too large" in result.output


def test_ordinary_things_work(attempt: Attempt) -> None:
    result = attempt("serve_threads")
    assert result.output.strip() == "child"


def test_a_crash_is_told_by_its_signal(attempt: Attempt) -> None:
    assert attempt("abort").exit.signal == 6


@pytest.mark.slow
@pytest.mark.parametrize("abi", [1, 3, 5])
@pytest.mark.parametrize(
    ("name", "fixture"),
    [
        ("connect_tcp", "tcp_port"),
        ("connect_abstract", "abstract_name"),
        ("kill", "sibling"),
        ("kill_thread", "sibling"),
        ("read_file", "secret"),
    ],
)
def test_an_old_landlock_is_made_up_for_by_seccomp(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    abi: int,
    name: str,
    fixture: str,
) -> None:
    if landlock.abi() < 6 or not offers(Level.LANDLOCK):
        pytest.skip("this kernel is itself an old one")
    base: Path = request.getfixturevalue("tmp_path")
    target = request.getfixturevalue(fixture)
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    judge(attempt_at(Level.LANDLOCK, base, name, getattr(target, "pid", target)), Level.LANDLOCK)
