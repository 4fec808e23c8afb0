"""SQL that loses data: statements are parsed, so that a word like "truncate" in prose is no finding."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from incidents.engine.review.policies import DATA_LOSS
from incidents.engine.review.shell import Objection

_WRITTEN_AS_SQL = re.compile(r"(?:^|;)\s*(?:DROP|TRUNCATE|DELETE|UPDATE|ALTER)\b")
_LOSES = re.compile(r"\b(?:DROP|TRUNCATE|DELETE|UPDATE|ALTER)\b", re.IGNORECASE)
# sqlglot reports statements that it does not know by a log line each; here that is an ordinary outcome.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def objections(text: str, *, surely_sql: bool) -> Iterator[Objection]:
    """Yield the statements of a text that lose data.

    `surely_sql` is for text that is handed to a database; other text counts as SQL only where its first word is in
    capitals, as people write statements and not sentences.
    """
    if not (_LOSES if surely_sql else _WRITTEN_AS_SQL).search(text):
        return
    try:
        statements = sqlglot.parse(text.replace("%s", "?"))
    except (SqlglotError, RecursionError):
        yield from _by_words(text)
        return
    for statement in statements:
        if statement is not None and (found := _judge(statement)):
            yield found


def _judge(statement: exp.Expr) -> Objection | None:
    match statement:
        case exp.Drop():
            return (
                "sql-drop",
                DATA_LOSS,
                f"drops {str(statement.args.get('kind') or 'an object').lower()}",
            )
        case exp.TruncateTable():
            return "sql-truncate", DATA_LOSS, "empties a table"
        case exp.Delete() | exp.Update():
            verb = "deletes" if isinstance(statement, exp.Delete) else "changes"
            where = statement.args.get("where")
            if where is None or _always_true(where.this):
                return f"sql-{statement.key}-all", DATA_LOSS, f"{verb} every row of a table"
        case exp.Alter() if any(
            isinstance(action, exp.Drop) for action in statement.args.get("actions") or ()
        ):
            return "sql-drop", DATA_LOSS, "drops a part of a table"
        case exp.Command():
            return next(_by_words(statement.sql()), None)
    return None


def _always_true(condition: exp.Expr) -> bool:
    match condition:
        case exp.Boolean():
            return bool(condition.this)
        case exp.Literal():
            return condition.this not in {"0", ""}
        case exp.EQ(this=exp.Literal() as left, expression=exp.Literal() as right):
            return bool(left == right)
        case exp.Paren():
            return _always_true(condition.this)
        case exp.Or():
            return _always_true(condition.left) or _always_true(condition.right)
    return False


def _by_words(text: str) -> Iterator[Objection]:
    # What the parser refuses can still be run by a database with another dialect.
    for statement in text.split(";"):
        if re.match(
            r"\s*(?:DROP|TRUNCATE)\s+(?:TABLE|DATABASE|SCHEMA|INDEX|VIEW|COLUMN)\b",
            statement,
            re.IGNORECASE,
        ):
            yield "sql-drop", DATA_LOSS, "drops or empties an object"
        elif re.match(
            r"\s*(?:DELETE\s+FROM|UPDATE\s+\S+\s+SET)\b(?!.*\bWHERE\b)",
            statement,
            re.IGNORECASE | re.DOTALL,
        ):
            yield "sql-delete-all", DATA_LOSS, "changes or deletes every row of a table"
