"""Changed Python: every rule that looks at the syntax tree, and only what is new in it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from incidents.engine.review import calls, guards, health, shell, sql
from incidents.engine.review.changed import ChangedFile
from incidents.engine.review.names import Names
from incidents.engine.review.objection import Objection
from incidents.engine.review.policies import REGRESSION
from incidents.engine.review.texts import HOLE, texts
from incidents.values import Finding

_RUNS_SQL = {
    "execute",
    "executemany",
    "executescript",
    "raw",
    "text",
    "query",
    "read_sql",
    "run_sql",
    "RunSQL",
}

# A text that is not handed to a process is taken for shell only with something that a shell would act on: "rm -rf mug"
# may be the name of a product.
_COULD_BE_SHELL = re.compile(rf"[/*~$|&;<>`]|{HOLE}")


def findings(file: ChangedFile) -> Iterator[Finding]:
    """Yield what the change of a Python file does wrong."""
    if file.after is not None and file.tree is None:
        yield Finding(
            rule="unreadable-python",
            policy=REGRESSION,
            detail="this is no valid Python, so that nothing can be said of what it does",
            path=file.path,
        )
        return
    if file.tree is not None:
        yield from _new(file, file.tree)
        yield from guards.idle_checks(file)
        yield from guards.swallowed_errors(file)
    yield from guards.removed_checks(file)
    yield from guards.lost_tests(file)
    yield from health.fake_health(file)


def _new(file: ChangedFile, tree: ast.Module) -> Iterator[Finding]:
    """Yield objections on changed lines of which there were fewer before: moved or re-indented code is not new."""
    before = file.tree_before
    known = Counter(map(_key, _objections(before))) if before else Counter[tuple[str, str]]()
    for objection in _objections(tree):
        key = _key(objection)
        known[key] -= 1
        if file.touches(objection.node) and known[key] < 0:
            yield Finding(
                rule=objection.rule,
                policy=objection.policy,
                detail=objection.detail,
                path=file.path,
                line=getattr(objection.node, "lineno", None),
                severity=objection.severity,
            )


def _key(objection: Objection) -> tuple[str, str]:
    return objection.rule, objection.key or ast.unparse(objection.node)


def _objections(tree: ast.Module) -> Iterator[Objection]:
    yield from calls.objections(tree, Names(tree))
    for_database = {id(node) for node in _sql_arguments(tree)}
    for node, text in texts(tree):
        for rule, policy, detail in sql.objections(text, surely_sql=id(node) in for_database):
            yield Objection(node, rule, policy, detail, "critical")
        if _COULD_BE_SHELL.search(text) and ("\n" not in text.strip() or text.startswith("#!")):
            for rule, policy, detail in shell.objections(text):
                yield Objection(node, rule, policy, detail, "critical")


def _sql_arguments(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the expressions that a database gets to read: directly, or through a name that they are kept under."""
    kept = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            argument = node.args[0]
            if ast.unparse(node.func).rsplit(".", 1)[-1] in _RUNS_SQL:
                yield (
                    kept.get(argument.id, argument) if isinstance(argument, ast.Name) else argument
                )
