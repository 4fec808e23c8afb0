"""Calls in new Python that run text as code, start shells or destroy files and data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from incidents.engine.review import reach, shell, weakness
from incidents.engine.review.names import Names
from incidents.engine.review.objection import Objection
from incidents.engine.review.policies import DATA_LOSS, DESTRUCTIVE, REGRESSION
from incidents.engine.review.texts import text_of, words

Loop = ast.While | ast.For | ast.ListComp | ast.SetComp | ast.GeneratorExp


_RUNS_TEXT = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "code.InteractiveInterpreter",
    "runpy.run_path",
}
_POWERFUL_MODULES = {"os", "subprocess", "shutil", "builtins", "__builtins__", "importlib", "sys"}
_NATIVE = re.compile(r"ctypes\.(?:CDLL|PyDLL|cdll\.\w+|util\.find_library)|cffi\.FFI")
_BACK_DOORS = {"__subclasses__", "__globals__", "__builtins__", "__code__"}
_UNPICKLES = re.compile(
    r"(?:pickle|cPickle|_pickle|dill|cloudpickle|marshal|jsonpickle)\.(?:loads?|decode|Unpickler)|shelve\.open"
)
_SHELLS = re.compile(
    r"os\.(?:system|popen)|subprocess\.(?:getoutput|getstatusoutput)|commands\.getoutput"
)
_PROCESSES = re.compile(
    r"subprocess\.(?:run|call|check_call|check_output|Popen)|os\.(?:exec|spawn|posix_spawn)\w*|pty\.spawn"
    r"|asyncio\.create_subprocess_(?:exec|shell)"
)
_DECODES = re.compile(
    r"base64\.\w*decode\w*|codecs\.decode|binascii\.(?:a2b_\w+|unhexlify)|zlib\.decompress|bytes\.fromhex"
)
_REMOVES = re.compile(r"os\.(?:remove|unlink|removedirs|rmdir|truncate)")
_LISTINGS = re.compile(r"os\.(?:listdir|walk|scandir)|glob\.i?glob|.*\.(?:iterdir|glob|rglob|walk)")
_EMPTIES_STORE = re.compile(
    r".*\.(?:drop_all|drop_database|drop_collection|drop_table|flushall|flushdb|dropDatabase)|.*\.objects\.(?:all\(\)\.)?delete"
)


def objections(tree: ast.Module, names: Names) -> Iterator[Objection]:
    """Yield every objectionable call of a module; the caller keeps those that are new."""
    for node in ast.walk(tree):
        yield from reach.objections(node, names)
        yield from weakness.objections(node, names)
        if isinstance(node, ast.Call):
            name = names.of(node.func)
            for judge in (_code, _process, _files):
                yield from judge(node, name, names)
        else:
            yield from _loops(node, names)


def _code(node: ast.Call, name: str, names: Names) -> Iterator[Objection]:
    if name in _RUNS_TEXT:
        decoded = any(
            isinstance(inner, ast.Call) and _DECODES.fullmatch(names.of(inner.func))
            for inner in ast.walk(node)
        )
        rule, words_ = ("decode-and-run", "runs decoded text as code") if decoded else (
            f"runs-text-{name.split('.')[-1].strip('_')}", f"{name}() runs text as code")  # fmt: skip
        yield Objection(node, rule, REGRESSION, words_, "critical" if decoded else "high")
    computed = len(node.args) > 1 and text_of(node.args[1]) != ast.unparse(node.args[1]).strip(
        "'\""
    )
    if name == "getattr" and computed and names.of(node.args[0]) in _POWERFUL_MODULES:
        yield Objection(node, "hidden-call", REGRESSION, "picks a function by a computed name")
    if _NATIVE.fullmatch(name):
        yield Objection(node, "hidden-call", REGRESSION, f"{name}() calls native code")
    if _UNPICKLES.fullmatch(name):
        yield Objection(node, "unpickles", REGRESSION, f"{name}() runs code that is hidden in data")
    if name == "yaml.load" and not re.search(r"Safe", ast.unparse(node)):
        yield Objection(
            node, "unpickles", REGRESSION, "yaml.load() without a safe loader runs code in data"
        )


def _process(node: ast.Call, name: str, _: Names) -> Iterator[Objection]:
    command = _command_text(node)
    in_shell = (
        _SHELLS.fullmatch(name) or name.endswith("create_subprocess_shell") or _truth(node, "shell")
    )
    if in_shell:
        yield Objection(node, "shell", REGRESSION, f"{name}() starts a shell")
    elif _PROCESSES.fullmatch(name):
        yield Objection(node, "process", REGRESSION, f"{name}() starts a process", "low")
    if command and (in_shell or _PROCESSES.fullmatch(name)):
        for rule, policy, detail in shell.objections(command):
            yield Objection(node, rule, policy, detail, "critical")
    if (
        name in {"os.kill", "os.killpg"}
        and node.args
        and ast.unparse(node.args[0]) in {"0", "1", "-1"}
    ):
        yield Objection(node, "kills-everything", DESTRUCTIVE, "signals every process", "critical")


def _command_text(node: ast.Call) -> str | None:
    if not node.args:
        return None
    return text_of(node.args[0]) or words(node.args[0])


def _files(node: ast.Call, name: str, names: Names) -> Iterator[Objection]:
    if name == "shutil.rmtree" or name.endswith(".rmtree"):
        yield Objection(node, "recursive-delete", DESTRUCTIVE, "deletes a folder and all below it")
    if _REMOVES.fullmatch(name) and node.args and _is_broad(node.args[0]):
        yield Objection(
            node, "broad-delete", DESTRUCTIVE, f"{name}() on a path outside of the service"
        )
    if name == "os.removedirs":
        yield Objection(node, "broad-delete", DESTRUCTIVE, "deletes folders upwards")
    if (
        name == "open().close"
        and isinstance(node.func, ast.Attribute)
        and _opens_for_writing(node.func.value)
    ):
        yield Objection(node, "empties-file", DATA_LOSS, "empties a file")
    if (
        name.endswith((".write_text", ".write_bytes"))
        and node.args
        and ast.unparse(node.args[0]) in {"''", "b''"}
    ):
        yield Objection(node, "empties-file", DATA_LOSS, "empties a file")
    if _EMPTIES_STORE.fullmatch(name) or (
        name.endswith(".delete_many") and ast.unparse(node).endswith("({})")
    ):
        yield Objection(
            node, "empties-store", DATA_LOSS, f"{name}() empties a data store", "critical"
        )
    if name == "os.chmod" and len(node.args) > 1 and _is_open_mode(node.args[1]):
        yield Objection(node, "open-permissions", REGRESSION, "lets everybody write")


def _is_broad(node: ast.expr) -> bool:
    text = text_of(node) or ""
    return text.startswith(("/", "~", "..")) or "*" in text or "expanduser" in ast.unparse(node)


def _opens_for_writing(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and len(node.args) > 1
        and (text_of(node.args[1]) or "").startswith("w")
    )


def _is_open_mode(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, int) and bool(node.value & 0o002)
    )


def _loops(node: ast.AST, names: Names) -> Iterator[Objection]:
    if isinstance(node, Loop):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                yield from _in_loop(node, inner, names)
    if getattr(node, "attr", getattr(node, "id", "")) in _BACK_DOORS:
        yield Objection(node, "hidden-call", REGRESSION, "reaches for the interpreter's own parts")


def _in_loop(loop: Loop, call: ast.Call, names: Names) -> Iterator[Objection]:
    name = names.of(call.func)
    if isinstance(loop, ast.While):
        endless = _truth_of(loop.test) and re.fullmatch(r".*Process\(\)\.start", name)
        if name == "os.fork" or endless:
            yield Objection(
                call, "fork-bomb", DESTRUCTIVE, "starts processes without end", "critical"
            )
    elif _REMOVES.fullmatch(name) or name.endswith(".unlink"):
        sources = (
            [loop.iter] if isinstance(loop, ast.For) else [part.iter for part in loop.generators]
        )
        listed = (inner for source in sources for inner in ast.walk(source))
        if any(
            isinstance(one, ast.Call) and _LISTINGS.fullmatch(names.of(one.func)) for one in listed
        ):
            yield Objection(call, "broad-delete", DESTRUCTIVE, "deletes every file that it finds")


def _truth(node: ast.Call, keyword: str) -> bool:
    return any(item.arg == keyword and _truth_of(item.value) for item in node.keywords)


def _truth_of(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)
