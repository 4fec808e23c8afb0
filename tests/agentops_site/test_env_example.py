"""`.env.example` names every setting that the environment gives, with the value that it has when nothing is set."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from django.conf import settings

SOURCES = [
    settings.BASE_DIR / "agentops_site" / f"{name}.py" for name in ("settings", "vendor_settings")
]
EXAMPLE = settings.BASE_DIR / ".env.example"
# Given by the launcher from its own options, or dotted paths of adapters.
NOT_FOR_PEOPLE = {"AGENTOPS_DEMO", "AGENTOPS_URL", "MONITORING_PROBER"}
# Read elsewhere: by the launcher, by `kept_secret_key`.
ELSEWHERE = {"AGENTOPS_DATA", "SECRET_KEY"}
# Empty in the example because what counts then is not a fixed text.
COMPUTED = {"EMAIL_BACKEND", "DATABASE_URL", "REDIS_URL", "AGENTOPS_PUBLIC_URL"}


def _read() -> Iterator[tuple[str, str, ast.expr]]:
    """Give kind, name and default of every setting that the settings read."""
    for node in (node for one in SOURCES for node in ast.walk(ast.parse(one.read_text()))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"text", "flag", "number"}
            and isinstance(node.args[0], ast.Constant)
        ):
            default = node.args[1] if len(node.args) > 1 else node.keywords[0].value
            yield node.func.id, str(node.args[0].value), default


def _shown() -> dict[str, str]:
    return dict(re.findall(r"^#([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_the_example_names_every_setting_and_no_other() -> None:
    names = {name for _, name, _ in _read()} - NOT_FOR_PEOPLE
    assert names | ELSEWHERE == set(_shown())


def test_the_example_shows_the_values_that_hold_when_nothing_is_set() -> None:
    shown = _shown()
    for kind, name, default in _read():
        if name in NOT_FOR_PEOPLE | ELSEWHERE | COMPUTED:
            continue
        value = eval(compile(ast.Expression(default), "settings", "eval"), {}, {})  # noqa: S307
        if kind == "number":
            assert float(shown[name]) == value, name
        else:
            assert shown[name] == {True: "1", False: "0"}.get(value, value), name


def test_every_setting_of_the_example_stands_under_a_comment() -> None:
    lines = EXAMPLE.read_text().splitlines()
    for place, line in enumerate(lines):
        if re.match(r"#[A-Z][A-Z0-9_]+=", line):
            above = next(
                one for one in reversed(lines[:place]) if not re.match(r"#[A-Z0-9_]+=", one)
            )
            assert above.startswith("# "), line
