"""Cases of Revert-Bench: faults of a real small service among many harmless changes, drawn by a fixed seed."""

from __future__ import annotations

import ast
import random
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus" / "revert"
SHOP = Path(__file__).parents[1] / "target_app"
SEED = 20261122
# Both of these make every request fail alike: with them no other fault of the same case can be seen before they are gone.
ALONE = {"syntax", "module_that_shadows", "file_taken_away", "comma_in_config", "hang_of_products"}

Files = dict[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One broken service: its files before and after, and after the faults only."""

    name: str
    faults: tuple[str, ...]
    among: int
    good: Files
    broken: Files
    faults_only: Files
    paths: tuple[str, ...]


def cases() -> Iterator[Case]:
    """Yield every case of the corpus; the same ones each time."""
    table = tomllib.loads((CORPUS / "shop.toml").read_text())
    good = {
        path.name: path.read_bytes()
        for path in sorted(SHOP.iterdir())
        if path.suffix in {".py", ".json"}
    }
    chance = random.Random(SEED)  # noqa: S311 - the same draw each time is the point
    paths = tuple(row["path"] for row in table["requests"])
    for draw in table["draw"]:
        order = _orders(table["fault"], draw["faults"], draw["cases"], chance)
        for number, faults in enumerate(order):
            yield _case(good, faults, (draw["among"], number), paths, chance)


def _orders(
    faults: list[dict[str, str]], size: int, count: int, chance: random.Random
) -> list[list[dict[str, str]]]:
    """Draw `count` sets of faults, every fault once before any comes twice where one stands alone."""
    if size == 1:
        shuffled = chance.sample(faults, len(faults))
        return [[shuffled[n % len(shuffled)]] for n in range(count)]
    pool = [fault for fault in faults if fault["name"] not in ALONE]
    return [chance.sample(pool, size) for _ in range(count)]


def _case(
    good: Files,
    faults: list[dict[str, str]],
    size: tuple[int, int],
    paths: tuple[str, ...],
    chance: random.Random,
) -> Case:
    among, number = size
    broken, only = dict(good), dict(good)
    for fault in faults:
        _put_in(fault, broken)
        _put_in(fault, only)
    touched = [fault for fault in faults if "old" in fault]
    _add_harmless(broken, good, touched, among - len(faults), chance)
    names = tuple(fault["name"] for fault in faults)
    return Case(
        name=f"{'+'.join(names)}@{among}#{number}",
        faults=names,
        among=among,
        good=good,
        broken=broken,
        faults_only=only,
        paths=paths,
    )


def _put_in(fault: Mapping[str, str], files: Files) -> None:
    if "old" not in fault:
        if "new" in fault:
            files[fault["file"]] = fault["new"].encode()
        else:
            del files[fault["file"]]
        return
    old, new = fault["old"].encode(), fault["new"].encode()
    assert files[fault["file"]].count(old) == 1, fault["name"]
    files[fault["file"]] = files[fault["file"]].replace(old, new)


def _add_harmless(
    broken: Files, good: Files, touched: list[dict[str, str]], wanted: int, chance: random.Random
) -> None:
    """Insert statements that do nothing before statements of functions, each a change of its own."""
    places = [
        (path, line, indent)
        for path, data in good.items()
        if path.endswith(".py") and path in broken
        for line, indent in _places(data.decode())
        if not any(_is_near(line, data.decode(), f) for f in touched if f["file"] == path)
    ]
    picked = sorted(chance.sample(places, max(0, min(wanted, len(places)))), reverse=True)
    assert len(picked) == max(0, wanted), f"{len(picked)} places for {wanted} changes"
    for number, (path, line, indent) in enumerate(picked):
        at = broken[path].decode().splitlines(keepends=True)
        anchor = good[path].decode().splitlines(keepends=True)[line - 1]
        where = _index_of(at, anchor, line)
        at.insert(where, f"{indent}_unused_{number} = {number}\n")
        broken[path] = "".join(at).encode()


def _index_of(lines: list[str], anchor: str, near: int) -> int:
    """Return where a line of last known good stands now, the nearest of equal ones."""
    found = [n for n, line in enumerate(lines) if line == anchor]
    assert found, anchor
    return min(found, key=lambda n: abs(n - (near - 1)))


def _places(text: str) -> list[tuple[int, str]]:
    """Return the lines (from 1) before which a statement may stand inside of functions, apart from each other."""
    lines = text.splitlines()
    found = []
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        body = function.body[1:] if ast.get_docstring(function) else function.body
        for statement in body:
            line = statement.lineno
            indent = lines[line - 1][: statement.col_offset]
            if not indent.strip():
                found.append((line, indent))
    return _apart(sorted(set(found)))


def _apart(places: list[tuple[int, str]]) -> list[tuple[int, str]]:
    kept: list[tuple[int, str]] = []
    for place in places:
        if not kept or place[0] - kept[-1][0] >= 2:
            kept.append(place)
    return kept


def _is_near(line: int, text: str, fault: Mapping[str, str]) -> bool:
    """Say whether a line stands so near to a fault that both would be one change."""
    position = text.find(fault["old"].split("\n")[0])
    return abs(text[:position].count("\n") + 1 - line) <= 3
