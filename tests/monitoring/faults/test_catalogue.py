"""The catalogue is data that anybody may extend: each file is checked, and a bad one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from monitoring.faults.catalogue import BadFaultFile, Fault, UnknownFault, all_faults, find, load
from monitoring.faults.edits import EditDoesNotFit, put_in, take_out

SHOP = {
    path.name: path.read_bytes()
    for path in (settings.BASE_DIR / "target_app").iterdir()
    if path.is_file()
}
GOOD = 'title="t"\nwhat="w"\nsymptom="s"\nseverity="low"\n'


def test_the_four_of_the_demo_come_first_and_ten_more_are_there() -> None:
    names = [fault.name for fault in all_faults()]
    assert names[:4] == ["bug", "slow", "crash", "bad_config"]
    assert len(names) >= 14


def test_an_unknown_fault_lists_the_known_ones() -> None:
    with pytest.raises(UnknownFault, match=r"no fault 'bgu'. Known: bug, slow, "):
        find("bgu")


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: fault.name)
def test_every_fault_fits_the_shop_and_comes_out_again(fault: Fault) -> None:
    after = put_in(fault, SHOP)
    assert set(after) == set(fault.paths)
    for path, data in after.items():
        assert data != SHOP[path]
        assert take_out(fault, path, before=SHOP[path], now=data) == SHOP[path]
        others = b"# somebody else was here\n"
        kept = take_out(fault, path, before=SHOP[path], now=others + data + others)
        assert kept == others + SHOP[path] + others


@pytest.mark.parametrize(
    "fault", [f for f in all_faults() if f.edits], ids=lambda fault: fault.name
)
def test_a_fault_that_is_in_cannot_be_put_in_again(fault: Fault) -> None:
    with pytest.raises(EditDoesNotFit):
        put_in(fault, {**SHOP, **put_in(fault, SHOP)})


def test_what_cannot_be_told_apart_becomes_what_it_was() -> None:
    fault = find("bug")
    assert (
        take_out(fault, "handler.py", before=b"before", now=b"rewritten by somebody") == b"before"
    )
    assert take_out(fault, "handler.py", before=b"before", now=None) == b"before"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ok", "title = ", "Invalid value"),
        ("Bad-Name", GOOD + "signal=9", "the name is"),
        ("ok", GOOD, "it does nothing"),
        ("ok", GOOD + "signal=9\ncolour='red'", "unknown: colour"),
        ("ok", GOOD + "signal='9'", "signal is a number"),
        ("ok", GOOD.replace("low", "awful") + "signal=9", "severity is one of"),
        ("ok", GOOD.replace('what="w"', 'what=" "') + "signal=9", "texts"),
        ("ok", GOOD + "[[edit]]\npath='../x.py'\nold='a'\nnew='b'", "edit: path, old, and"),
        ("ok", GOOD + "[[edit]]\npath='x.py'\nold=''\nnew='b'", "edit: path, old, and"),
        ("ok", GOOD + "[[edit]]\npath='x.py'\nold='ab'\nnew='a'", "edit: path, old, and"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    with pytest.raises(BadFaultFile, match=rf"{name}\.toml: .*{said}"):
        load(path)
