"""What an approved fix writes must be exact to the byte, or an approval and an undo would mean nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.engine.hunks import hunks
from incidents.engine.patches import (
    PatchError,
    apply,
    check_paths,
    inside,
    lines_changed,
    unified_diff,
)
from incidents.values import Action, Edit, Restart, Revert, RevertEnvironment

GOOD = {
    "a.py": b"one = 1\ntwo = 2\n\ndef f():\n    return one\n# end\n",
    "b.txt": b"x\r\ny\r\n",
    "old.py": b"import os\nprint(os)\nprint(1)\n",
    "bin": b"\x00\x01",
}
NOW = {
    "a.py": b"one = 10\ntwo = 20\n\ndef f():\n    return oen\n# end\nlast",
    "b.txt": b"x\r\nz\r\n",
    "new.py": b"import os\nprint(os)\nprint(2)\n",
    "bin": b"\x00\x02",
}
LINE = st.sampled_from(["a\n", "b\n", "c = 1\n", "c = 2\n", "\n", "x\r\n", "\u2028y\f\n", "\n\n"])
TAIL = st.sampled_from(["", "", "end", "c = 3"])
TEXT = st.builds(lambda lines, tail: ("".join(lines) + tail).encode(), st.lists(LINE), TAIL)
TREE = st.dictionaries(
    st.sampled_from(["a.py", "b c.txt", "d/e.json", "ü"]),
    st.one_of(TEXT, TEXT, st.binary(max_size=6)),
)
TEXT_TREE = st.dictionaries(st.sampled_from(["a.py", "b c.txt", "d/e.json"]), TEXT)


def after(
    actions: list[Action], current: dict[str, bytes], good: dict[str, bytes] | None
) -> dict[str, bytes]:
    writes = apply(actions, current, good, {}, None).writes
    return {path: data for path, data in {**current, **writes}.items() if data is not None}


@settings(max_examples=300, deadline=None)
@given(TREE, TREE)
def test_reverting_every_hunk_gives_the_last_good_tree(
    good: dict[str, bytes], current: dict[str, bytes]
) -> None:
    found = hunks(good, current)
    assert bool(found) == (good != current)
    if found:
        assert after([Revert(path=h.path, hunks=(h.id,)) for h in found], current, good) == good
        assert after([Revert(path=h.path) for h in found], current, good) == good


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["keep", "rewrite", "drop", "insert"]), min_size=1, max_size=12),
    st.data(),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_reverting_some_hunks_keeps_all_other_edits(
    edits: list[str],
    data: st.DataObject,
    newline: str,
    last_newline: bool,
) -> None:
    def text(active: set[int]) -> bytes:
        lines = []
        for number, edit in enumerate(edits):
            shown = edit if number in active else "keep"
            lines += {"keep": [f"v{number} = 1"], "rewrite": [f"v{number} = 2"], "drop": [],
                      "insert": [f"v{number} = 1", f"extra{number}"]}[shown]  # fmt: skip
            lines.append(f"# end of {number}")
        return (newline.join(lines) + newline * last_newline).encode()

    touched = {number for number, edit in enumerate(edits) if edit != "keep"}
    good, current = {"f": text(set())}, {"f": text(touched)}
    found = hunks(good, current)
    assert len(found) == len(touched)
    if touched:
        chosen = data.draw(st.sets(st.sampled_from(sorted(touched)), min_size=1))
        ids = tuple(
            h.id for h, number in zip(found, sorted(touched), strict=True) if number in chosen
        )
        assert after([Revert(path="f", hunks=ids)], current, good) == {"f": text(touched - chosen)}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TEXT_TREE, TEXT_TREE)
def test_git_reads_the_diff_as_exactly_what_is_written(
    tmp_path: Path, before: dict[str, bytes], wanted: dict[str, bytes]
) -> None:
    changed = {p: wanted.get(p) for p in {*before, *wanted} if before.get(p) != wanted.get(p)}
    diff = unified_diff(before, changed)
    signs = [line[:1] for line in diff.split("\n") if line[:3] not in {"---", "+++"}]
    assert signs.count("+") + signs.count("-") == lines_changed(before, changed)
    for path in ("a.py", "b c.txt", "d/e.json"):
        (tmp_path / path).unlink(missing_ok=True)
    for path, content in before.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    if diff:
        command = ["git", "apply", "--whitespace=nowarn", "--unidiff-zero", "-"]
        subprocess.run(command, input=diff.encode(), cwd=tmp_path, check=True)  # noqa: S603 - fixed words
    names = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert {name: (tmp_path / name).read_bytes() for name in names} == wanted


def test_neighbouring_lines_rewritten_in_place_can_be_put_back_one_by_one() -> None:
    one, two, call, last = (h for h in hunks(GOOD, NOW) if h.path == "a.py")
    assert (one.old_lines, two.new_lines, call.new_start) == (("one = 1\n",), ("two = 20\n",), 5)
    assert last.new_lines == ("last",)
    assert after([Revert(path="a.py", hunks=(two.id,))], NOW, GOOD)["a.py"].startswith(
        b"one = 10\ntwo = 2\n"
    )


def test_ids_stay_when_other_hunks_are_put_back_and_equal_hunks_have_their_own() -> None:
    good, bad = {"a": b"x\n1\n2\ny\n3\nx\n"}, {"a": b"q\nx\n1\n2\ny\n3\nq\nx\n"}
    first, second = hunks(good, bad)
    assert first.id != second.id
    rest = hunks(good, after([Revert(path="a", hunks=(second.id,))], bad, good))
    assert [h.id for h in rest] == [first.id]


def test_a_renamed_file_is_a_linked_pair_and_a_binary_file_one_hunk() -> None:
    found = {h.path: h for h in hunks(GOOD, NOW)}
    assert (found["old.py"].kind, found["new.py"].kind, found["bin"].kind) == (
        "deleted",
        "added",
        "binary",
    )
    assert found["old.py"].linked == found["new.py"].id
    assert found["new.py"].linked == found["old.py"].id
    assert apply([Revert(path="new.py"), Revert(path="old.py")], NOW, GOOD, {}, None).writes == {
        "new.py": None,
        "old.py": GOOD["old.py"],
    }


def test_a_hunk_covers_its_lines_and_a_removal_its_neighbours() -> None:
    (removal,) = hunks({"a": b"1\n2\n3\n"}, {"a": b"1\n3\n"})
    assert [removal.covers(line) for line in (1, 2, 3)] == [True, True, False]
    (insertion,) = hunks({"a": b"1\n3\n"}, {"a": b"1\n2\n3\n"})
    assert [insertion.covers(line) for line in (1, 2, 3)] == [False, True, False]


def test_reverts_and_edits_of_one_file_combine_whatever_their_order() -> None:
    one = hunks(GOOD, NOW)[0]
    edit = Edit(path="a.py", old="return oen", new="return one")
    back = Revert(path="a.py", hunks=(one.id,))
    expected = b"one = 1\ntwo = 20\n\ndef f():\n    return one\n# end\nlast"
    assert after([edit, back], NOW, GOOD)["a.py"] == expected
    assert after([back, edit], NOW, GOOD)["a.py"] == expected


def test_an_edit_written_with_plain_newlines_fits_a_file_with_crlf() -> None:
    assert after([Edit(path="b.txt", old="x\nz", new="p\nq")], NOW, None)["b.txt"] == b"p\r\nq\r\n"


def test_environment_goes_back_by_name_and_an_added_name_goes() -> None:
    change = apply(
        [RevertEnvironment(names=("A", "NEW"))],
        {},
        None,
        {"A": "2", "B": "2", "NEW": "1"},
        {"A": "1", "B": "1"},
    )
    assert (change.environment, change.writes, change.restarts) == ({"A": "1", "B": "2"}, {}, True)


def test_a_restart_writes_nothing() -> None:
    change = apply([Restart()], GOOD, None, {"A": "1"}, None)
    assert (change.writes, change.environment, change.restarts) == ({}, None, True)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Edit(path="a.py", old="nowhere", new="x"), "not found in a.py: 'nowhere'"),
        (Edit(path="o.py", old="one", new="x"), "does not exist"),
        (Edit(path="bin", old="a", new="b"), "not a UTF-8 text"),
        (Edit(path="a.py", old="", new="b"), "replaces nothing"),
        (Edit(path="a.py", old="oen", new="oen"), "replaces nothing"),
        (Edit(path="a.py", old="oen", new="\ud800"), "not valid Unicode"),
        (Edit(path="../a.py", old="oen", new="x"), "not a path inside"),
        (Revert(path="/etc/passwd"), "not a path inside"),
        (Revert(path="a.py", hunks=("nope",)), "no change named 'nope'"),
        (Revert(path="same.py"), "the same as in the last known good"),
        (RevertEnvironment(names=("A",)), "no last known good environment"),
        (RevertEnvironment(names=()), "change nothing"),
    ],
)
def test_actions_that_do_not_fit_say_why(action: Action, words: str) -> None:
    with pytest.raises(PatchError, match=words):
        apply([action], NOW, GOOD, {}, None)


def test_overlapping_occurrences_count_as_two() -> None:
    with pytest.raises(PatchError, match="more than once"):
        apply([Edit(path="a", old="aa", new="b")], {"a": b"aaa"}, None, {}, None)


def test_without_a_last_known_good_nothing_can_be_reverted() -> None:
    with pytest.raises(PatchError, match="no last known good version"):
        apply([Revert(path="a.py")], NOW, None, {}, None)
    with pytest.raises(PatchError, match="variable A did not change"):
        apply([RevertEnvironment(names=("A",))], {}, None, {"A": "1"}, {"A": "1"})


def test_only_editable_paths_pass() -> None:
    check_paths(["a.py", "app/b.py"], ["*.py", "app/**"])
    with pytest.raises(PatchError, match=r"data\.db is not one of"):
        check_paths(["a.py", "data.db"], ["*.py"])
    with pytest.raises(PatchError, match="not a path inside"):
        check_paths(["a/../../x.py"], ["**"])
    with pytest.raises(PatchError, match=r"check\.py belongs to a check command"):
        check_paths(["a.py", "check.py"], ["*.py"], ["check.py"])
    assert inside("a.py", ["*.py"])
    assert not inside("../a.py", ["**"])


def test_a_huge_rewritten_file_is_one_bounded_hunk() -> None:
    good = {"a": b"".join(b"old %d\n" % n for n in range(30_000))}
    bad = {"a": b"".join(b"new %d\n" % n for n in range(29_999))}
    (only,) = hunks(good, bad)
    assert (only.size, lines_changed(bad, good)) == (59_999, 59_999)


def test_a_binary_change_is_named_and_sized() -> None:
    diff = unified_diff(NOW, {"bin": GOOD["bin"], "gone": b"\xff"})
    assert "Binary file bin differs: 2 bytes before, 2 bytes after" in diff
    assert "Binary file gone differs: no file before, 1 bytes after" in diff


def test_a_comment_below_a_rewritten_line_is_a_change_of_its_own() -> None:
    good = {"a.py": b"def f(row):\n    return row['a'] + 1\n"}
    bad = {"a.py": b"def f(row):\n    return row['b'] + 1\n\n# reviewed\n"}
    fault, comment = hunks(good, bad)
    assert (fault.size, comment.size) == (2, 2)
    rest = after([Revert(path="a.py", hunks=(fault.id,))], bad, good)
    assert rest == {"a.py": good["a.py"] + b"\n# reviewed\n"}
