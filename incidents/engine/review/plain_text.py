"""Files that are no Python: scripts, SQL, settings, templates. What their new lines do, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from incidents.engine.review import shell, sql
from incidents.engine.review.changed import ChangedFile
from incidents.engine.review.policies import REGRESSION
from incidents.values import Finding

_SCRIPT = re.compile(
    r"(?:\.(?:sh|bash|zsh|ksh|service|mk)|(?:^|/)(?:Dockerfile|Makefile|Procfile|Jenkinsfile)[^/]*)$"
)
_SETTINGS = re.compile(r"(?:\.(?:json|ya?ml|toml|ini|cfg|conf|env|properties)|(?:^|/)\.env[^/]*)$")
_PAGE = re.compile(r"\.(?:html?|jinja2?|j2|m?js|ts|vue|svelte)$")
_SWITCHED_OFF = re.compile(
    r"(?i)[\"']?[\w.-]*(?:verify|ssl|tls|auth|csrf|secure|signature|validat|permission|firewall|sandbox)[\w.-]*[\"']?"
    r"\s*[:=]\s*[\"']?(?:false|off|no|none|0|disabled?)\b[\"']?\s*,?\s*(?:[#;].*)?$"
)
_PAGE_RISK = re.compile(
    r"\beval\s*\(|\bnew\s+Function\s*\(|\|\s*safe\b|autoescape\s+(?:off|false)|child_process|document\.write\("
)
_PREFIX = re.compile(r"^\s*(?:RUN|CMD|ENTRYPOINT|ExecStart\w*=|\w+:|[-@+])\s*")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")


def findings(file: ChangedFile) -> Iterator[Finding]:
    """Yield what the new lines of a file that is no Python do wrong."""
    if file.after is None:
        return
    if file.path.endswith(".sql"):
        yield from _sql(file)
        return
    for number, line in file.added_lines():
        for rule, policy, detail in _line(file.path, line):
            severity = "high" if policy == REGRESSION else "critical"
            yield Finding(
                rule=rule,
                policy=policy,
                detail=detail,
                path=file.path,
                line=number,
                severity=severity,
            )


def _line(path: str, line: str) -> Iterator[shell.Objection]:
    if _SCRIPT.search(path):
        yield from shell.objections(line.removesuffix("\\"))
        if (bare := _PREFIX.sub("", line, count=1)) != line:
            yield from shell.objections(bare)
    elif _SETTINGS.search(path):
        if _SWITCHED_OFF.search(line):
            yield "verification-off", REGRESSION, "a setting turns a check off"
        for value in _QUOTED.findall(line) or [line.split("=", 1)[-1].split(": ", 1)[-1]]:
            yield from shell.objections(value)
            yield from sql.objections(value, surely_sql=False)
    elif _PAGE.search(path) and (found := _PAGE_RISK.search(line)):
        yield "page-runs-text", REGRESSION, f"{found.group().strip()} lets text become code"


def _sql(file: ChangedFile) -> Iterator[Finding]:
    # Statements span lines: the whole file is judged, and a statement counts when one of its lines is new.
    start = 1
    for statement in (file.after or "").split(";"):
        lines = range(start, start + statement.count("\n") + 1)
        start = lines[-1]
        changed = [line for line in lines if line in file.added]
        if changed:
            for rule, policy, detail in sql.objections(statement.strip(), surely_sql=True):
                yield Finding(
                    rule=rule,
                    policy=policy,
                    detail=detail,
                    path=file.path,
                    line=changed[0],
                    severity="critical",
                )
