"""Checks that a change takes away: deleted guards, swallowed errors, deleted or skipped tests, conditions made idle."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from incidents.engine.review.changed import ChangedFile
from incidents.engine.review.policies import REGRESSION
from incidents.values import Finding

_CHECK_WORDS = re.compile(
    r"(?i)(?:^|[._])(?:auth\w*|login\w*|permi\w*|require\w*|csrf\w*|verif\w*|valid\w*|check\w*|ensure\w*|sanit\w*"
    r"|escape\w*|quote|compare_digest|protect\w*|admin_only|staff_member_required|rate_?limit\w*|throttl\w*)(?:$|[._(])"
)
_AUTH_WORDS = re.compile(
    r"(?i)auth|permission|admin|login|signed_in|csrf|token|signature|owner|role|session|forbidden|denied|secret|password"
)
_REFUSAL = re.compile(
    r"(?i)\b(?:400|401|403|404|409|422|429)\b|forbidden|unauthori[sz]ed|denied|abort|bad_?request|error"
)
_TEST_FILE = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$|conftest\.py$)")
_SKIP = re.compile(r"(?:^|\.)(?:skip|skipif|skipIf|skipUnless|xfail|expectedFailure)(?:$|\()")

Guards = Counter[tuple[str, str]]


def removed_checks(file: ChangedFile) -> Iterator[Finding]:
    """Yield each kind of guard of which the file has fewer afterwards. Moving or rewording one is no finding."""
    if file.tree_before is None or (file.tree is None and file.after is not None):
        return
    after = _guards(file.tree) if file.tree else Counter()
    lines = _guard_lines(file.tree_before)
    for (kind, name), count in sorted(_guards(file.tree_before).items()):
        missing = count - after[kind, name]
        if missing > 0:
            where = f"line {lines[kind, name]} before the change"
            yield _finding(
                file,
                f"removed-{kind}",
                f"takes {missing} {kind} away: {name or 'a guard'} ({where})",
            )


def _guards(tree: ast.Module) -> Guards:
    return Counter(key for key, _ in _each_guard(tree))


def _guard_lines(tree: ast.Module) -> dict[tuple[str, str], int]:
    return dict(reversed(list(_each_guard(tree))))


def _each_guard(tree: ast.Module) -> Iterator[tuple[tuple[str, str], int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                name = ast.unparse(decorator).split("(")[0]
                if _CHECK_WORDS.search(name):
                    yield ("decorator", name), decorator.lineno
        elif isinstance(node, ast.stmt | ast.Call) and (key := _guard(node)):
            yield key, node.lineno


def _guard(node: ast.stmt | ast.Call) -> tuple[str, str] | None:
    match node:
        case ast.Assert():
            return "assertion", ""
        case ast.If() if _is_guard(node):
            return "guard", ""
        case ast.If() if _AUTH_WORDS.search(ast.unparse(node.test)):
            return "condition", ""
        case ast.Call() if _CHECK_WORDS.search(name := ast.unparse(node.func).split("(")[0]):
            return "check", name.split(".")[-1]
    return None


def _is_guard(node: ast.If) -> bool:
    """Return whether an `if` refuses: it ends in a raise, or in a return that is about rights or an error."""
    last = node.body[-1]
    if isinstance(last, ast.Raise):
        return True
    leaves = isinstance(last, ast.Return) or (
        isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
    )
    return leaves and bool(
        _AUTH_WORDS.search(ast.unparse(node.test)) or _REFUSAL.search(ast.unparse(last))
    )


def idle_checks(file: ChangedFile) -> Iterator[Finding]:
    """Yield conditions on new lines that can only go one way, and checks whose body became `return True`."""
    if file.tree is None or file.tree_before is None:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.If) and _only_one_way(node.test) and _changed_line(file, node.test):
            yield _finding(file, "idle-check", "a condition that can only go one way", node.lineno)
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and _agrees_always(node)
            and file.touches(node)
        ):
            yield _finding(
                file, "idle-check", f"{node.name}() now agrees to everything", node.lineno
            )


def _only_one_way(test: ast.expr) -> bool:
    match test:
        case ast.Constant():
            return True
        case ast.BoolOp(op=ast.And(), values=values):
            return any(isinstance(value, ast.Constant) and not value.value for value in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(isinstance(value, ast.Constant) and bool(value.value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _only_one_way(operand)
    return False


def _changed_line(file: ChangedFile, node: ast.expr) -> bool:
    return node.lineno in file.added


def _agrees_always(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if not (_CHECK_WORDS.search(node.name) or re.match(r"(?:is|has|can|may)_", node.name)):
        return False
    body = [
        part
        for part in node.body
        if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
    ]
    return bool(body) and isinstance(body[0], ast.Return) and ast.unparse(body[0]) == "return True"


def swallowed_errors(file: ChangedFile) -> Iterator[Finding]:
    """Yield new handlers that catch everything and do nothing: they hide a fault and heal none."""
    if file.tree is None:
        return
    known = (
        Counter(map(ast.dump, _silent(file.tree_before))) if file.tree_before else Counter[str]()
    )
    for node in _silent(file.tree):
        if file.touches(node) and known[ast.dump(node)] == 0:
            yield _finding(
                file, "swallowed-error", "catches every error and does nothing", node.lineno
            )
        known[ast.dump(node)] -= 1


def _silent(tree: ast.Module) -> Iterator[ast.ExceptHandler | ast.Call]:
    broad = {"", "Exception", "BaseException"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            catches_all = any((ast.unparse(kind) if kind else "") in broad for kind in kinds)
            if catches_all and all(_does_nothing(part) for part in node.body):
                yield node
        elif isinstance(node, ast.Call) and _suppresses(node, broad):
            yield node


def _suppresses(call: ast.Call, broad: set[str]) -> bool:
    name = ast.unparse(call.func).split(".")[-1]
    return name == "suppress" and any(ast.unparse(item) in broad for item in call.args)


def _does_nothing(part: ast.stmt) -> bool:
    return isinstance(part, ast.Pass | ast.Continue) or (
        isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    )


def lost_tests(file: ChangedFile) -> Iterator[Finding]:
    """Yield tests that are deleted or newly skipped: a repair must not silence what would object to it."""
    if not _TEST_FILE.search(file.path):
        return
    if file.after is None:
        yield _finding(file, "deleted-test", "deletes a file of tests")
        return
    if file.tree is None or file.tree_before is None:
        return
    gone = _tests(file.tree_before) - _tests(file.tree)
    if gone:
        yield _finding(file, "deleted-test", f"deletes {', '.join(sorted(gone))}")
    if _skips(file.tree) > _skips(file.tree_before):
        yield _finding(file, "skipped-test", "skips a test that ran before")


def _tests(tree: ast.Module) -> set[str]:
    functions = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {node.name for node in functions if node.name.startswith("test")}


def _skips(tree: ast.Module) -> int:
    parts = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name))
    return sum(bool(_SKIP.search(ast.unparse(node))) for node in parts)


def _finding(file: ChangedFile, rule: str, detail: str, line: int | None = None) -> Finding:
    return Finding(
        rule=rule, policy=REGRESSION, detail=detail, path=file.path, line=line, severity="high"
    )
