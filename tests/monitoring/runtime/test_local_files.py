"""Attempts to read and write outside of a service's files, and to leave a write half done."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from agentops_site.integrations import local_tree, local_writes
from monitoring.ports import TargetError
from monitoring.values import ServiceSpec
from tests.monitoring.runtime.helpers import spec_of


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim.py").write_text("precious")
    return folder


@pytest.fixture
def spec(tmp_path: Path) -> ServiceSpec:
    root = tmp_path / "service"
    root.mkdir()
    (root / "server.py").write_bytes(b"old")
    return spec_of(root, editable_globs=("**/*.py", "config/*.json"))


def root(spec: ServiceSpec) -> Path:
    return Path(spec.directory)


def names(spec: ServiceSpec) -> set[str]:
    return {
        str(path.relative_to(spec.directory)) for path in root(spec).rglob("*") if path.is_file()
    }


def test_a_linked_file_is_neither_read_nor_replaced(spec: ServiceSpec, outside: Path) -> None:
    (root(spec) / "link.py").symlink_to(outside / "victim.py")
    assert set(local_tree.read_tree(spec)) == {"server.py"}
    with pytest.raises(TargetError, match="not a regular file"):
        local_writes.write_files(spec, {"link.py": b"bad"})
    assert (root(spec) / "link.py").is_symlink()
    assert (outside / "victim.py").read_text() == "precious"


def test_a_linked_folder_leads_nowhere(spec: ServiceSpec, outside: Path) -> None:
    (root(spec) / "pkg").symlink_to(outside)
    assert set(local_tree.read_tree(spec)) == {"server.py"}
    for path in ("pkg/victim.py", "pkg/new.py"):
        with pytest.raises(TargetError):
            local_writes.write_files(spec, {path: b"bad"})
    assert [path.name for path in outside.iterdir()] == ["victim.py"]
    assert (outside / "victim.py").read_text() == "precious"


def swap_until(finished: threading.Event, folder: Path, outside: Path, swaps: list[int]) -> None:
    """Put a link to `outside` in the folder's place and the folder back, over and over."""
    aside = folder.with_name("aside")
    while not finished.is_set():
        folder.rename(aside)
        with contextlib.suppress(FileExistsError):  # a write has made the folder again
            folder.symlink_to(outside)
            swaps.append(1)
            folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            aside.rename(folder)
            continue
        shutil.rmtree(aside)


def test_a_folder_swapped_for_a_link_all_the_time_never_lets_a_write_out(
    spec: ServiceSpec, outside: Path
) -> None:
    folder, finished, swaps, written = root(spec) / "pkg", threading.Event(), list[int](), 0
    folder.mkdir()
    thread = threading.Thread(target=swap_until, args=(finished, folder, outside, swaps))
    thread.start()
    for number in range(400):
        with contextlib.suppress(TargetError):
            local_writes.write_files(spec, {"pkg/victim.py": b"bad %d" % number})
            written += 1
    finished.set()
    thread.join(10)
    assert written
    assert len(swaps) > 20
    assert (outside / "victim.py").read_text() == "precious"
    assert [path.name for path in outside.iterdir()] == ["victim.py"]


def test_a_fifo_in_the_place_of_a_file_holds_nobody_up(spec: ServiceSpec) -> None:
    os.mkfifo(root(spec) / "pipe.py")
    assert set(local_tree.read_tree(spec)) == {"server.py"}
    with pytest.raises(TargetError, match="not a regular file"):
        local_writes.write_files(spec, {"pipe.py": b"bad"})


def test_a_folder_is_not_replaced_by_a_file(spec: ServiceSpec) -> None:
    (root(spec) / "folder.py").mkdir()
    with pytest.raises(TargetError, match="not a regular file"):
        local_writes.write_files(spec, {"folder.py": b"bad"})


def test_mode_is_kept_and_no_draft_is_left(spec: ServiceSpec) -> None:
    (root(spec) / "server.py").chmod(0o750)
    local_writes.write_files(spec, {"server.py": b"new", "pkg/deep/er.py": b"made"})
    assert stat.S_IMODE((root(spec) / "server.py").stat().st_mode) == 0o750
    assert names(spec) == {"server.py", "pkg/deep/er.py"}


def test_a_bad_path_among_good_ones_writes_nothing(spec: ServiceSpec) -> None:
    (root(spec) / "folder.py").mkdir()
    with pytest.raises(TargetError):
        local_writes.write_files(
            spec, {"server.py": b"new", "other.py": b"new", "folder.py": b"bad"}
        )
    assert local_tree.read_tree(spec) == {"server.py": b"old"}
    assert names(spec) == {"server.py"}


def test_an_error_in_the_middle_puts_back_what_was_written(
    spec: ServiceSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py", "c.py"):
        (root(spec) / name).write_bytes(b"old " + name.encode())
    before = local_tree.read_tree(spec)
    real, renamed = os.rename, []

    def failing(source: str, target: str, **folders: int) -> None:
        renamed.append(target)
        if len(renamed) == 3:
            raise OSError(28, "No space left on device")
        real(source, target, **folders)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(TargetError, match="nothing written") as refused:
        local_writes.write_files(spec, {"a.py": b"1", "new.py": b"2", "b.py": b"3", "c.py": None})
    assert not refused.value.permanent
    monkeypatch.undo()
    assert renamed[:3] == ["a.py", "new.py", "b.py"]
    assert local_tree.read_tree(spec) == before
    assert names(spec) == {"a.py", "b.py", "c.py", "server.py"}


def test_deleting_what_is_not_there_is_done_already(spec: ServiceSpec) -> None:
    local_writes.write_files(spec, {"gone.py": None, "server.py": None})
    assert local_tree.read_tree(spec) == {}


def test_a_compiled_form_never_outlives_its_source(spec: ServiceSpec) -> None:
    compiled = root(spec) / "__pycache__"
    compiled.mkdir()
    (compiled / "server.cpython-311.pyc").write_bytes(b"stale")
    (compiled / "other.cpython-311.pyc").write_bytes(b"of another")
    local_writes.write_files(spec, {"server.py": b"new"})
    assert [path.name for path in compiled.iterdir()] == ["other.cpython-311.pyc"]


def test_large_files_are_left_out_and_too_much_is_refused(
    spec: ServiceSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root(spec) / "large.py").write_bytes(b"x" * (local_tree.MAX_FILE_BYTES + 1))
    assert set(local_tree.read_tree(spec)) == {"server.py"}
    monkeypatch.setattr(local_tree, "MAX_TREE_BYTES", 2)
    with pytest.raises(TargetError, match="narrow them") as refused:
        local_tree.read_tree(spec)
    assert refused.value.permanent


def test_data_and_files_without_a_safe_name_are_left_out(spec: ServiceSpec) -> None:
    (root(spec) / "data").mkdir()
    (root(spec) / "data" / "x.py").write_bytes(b"data")
    Path(os.fsdecode(os.fsencode(root(spec)) + b"/\xff.py")).write_bytes(b"?")
    (root(spec) / "new\nline.py").write_bytes(b"?")
    assert set(local_tree.read_tree(spec)) == {"server.py"}


def test_files_that_come_and_go_while_the_tree_is_read_do_no_harm(spec: ServiceSpec) -> None:
    finished = threading.Event()

    def churn() -> None:
        passing = root(spec) / "pkg"
        while not finished.is_set():
            passing.mkdir()
            (passing / "x.py").write_bytes(b"x")
            (passing / "x.py").unlink()
            passing.rmdir()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(300):
            assert local_tree.read_tree(spec)["server.py"] == b"old"
    finally:
        finished.set()
        thread.join(10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(spec: ServiceSpec) -> None:
    (root(spec) / "server.py").chmod(0)
    with pytest.raises(TargetError, match=r"server\.py cannot be read"):
        local_tree.read_tree(spec)


def test_a_missing_directory_is_a_clear_error(spec: ServiceSpec, tmp_path: Path) -> None:
    lost = spec_of(tmp_path / "lost")
    for act in (
        lambda: local_tree.read_tree(lost),
        lambda: local_writes.write_files(lost, {"a.py": b""}),
    ):
        with pytest.raises(TargetError, match="cannot be opened") as refused:
            act()
        assert refused.value.permanent
