"""Small programs that really fail. The line to blame ends in `# HERE`; nobody types a traceback by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MARK = "# HERE"

RAISERS: dict[str, tuple[str, str]] = {
    "zero_division": ("ZeroDivisionError", "def f():\n    return 1 / 0  # HERE\nf()\n"),
    "in_library": ("JSONDecodeError", "import json\ndef f(t):\n    return json.loads(t)  # HERE\nf('{')\n"),
    "from_cause": (
        "KeyError",
        "def f():\n    return {}['a']  # HERE\ntry:\n    f()\nexcept KeyError as e:\n    raise RuntimeError('x') from e\n",
    ),
    "passed_on": (
        "ValueError",
        "class Broken(Exception): pass\ntry:\n    int('x')  # HERE\nexcept ValueError:\n    raise Broken('y')\n",
    ),
    "bug_in_handler": ("NameError", "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log('x')  # HERE\n"),
    "three_in_a_row": (
        "KeyError",
        "def f():\n  try:\n    {}['a']  # HERE\n  except KeyError as e:\n    raise ValueError() from e\n"
        "try:\n    f()\nexcept ValueError as e:\n    raise RuntimeError() from e\n",
    ),
    "group": (
        "IndexError",
        "import asyncio\nasync def a():\n    return [][0]  # HERE\nasync def b():\n    await asyncio.sleep(9)\n"
        "async def main():\n    async with asyncio.TaskGroup() as g:\n        g.create_task(a())\n"
        "        g.create_task(b())\nasyncio.run(main())\n",
    ),
    "nested_group": (
        "LookupError",
        "def f():\n    raise LookupError('deep')  # HERE\ntry:\n    f()\nexcept LookupError as e:\n"
        "    inner = ExceptionGroup('in', [e])\nraise ExceptionGroup('out', [inner, ValueError('b')])\n",
    ),
    "thread": (
        "AttributeError",
        "import threading\ndef work():\n    None.x  # HERE\nt = threading.Thread(target=work)\nt.start()\nt.join()\n",
    ),
    "recursion": ("RecursionError", "def f(n):\n    return f(n + 1)  # HERE\nf(0)\n"),
    "no_message": ("AssertionError", "def f():\n    assert False  # HERE\nf()\n"),
    "many_lines": ("ValueError", "def f():\n    raise ValueError('a\\nb: c\\n  d')  # HERE\nf()\n"),
    "local_class": (
        "Odd",
        "def f():\n    class Odd(Exception): pass\n    raise Odd('x')  # HERE\nf()\n",
    ),
    "lambda": ("TypeError", "f = lambda x: x + 'a'  # HERE\nf(1)\n"),
    "in_exec": ("NameError", "def f():\n    exec('nowhere')  # HERE\nf()\n"),
    "unclosed": ("SyntaxError", "x = 1\ndef f(:  # HERE\n    pass\n"),
    "indentation": ("IndentationError", "def f():\nreturn 1  # HERE\n"),
    "tabs": ("TabError", "if 1:\n        x = 1\n\ty = 2  # HERE\n"),
    "with_notes": (
        "ValueError",
        "e = ValueError('x')\ne.add_note('a note: here')\nraise e  # HERE\n",
    ),
    "import_gone": ("ModuleNotFoundError", "import nowhere_at_all  # HERE\n"),
    "name_gone": ("ImportError", "from json import nowhere  # HERE\n"),
    "unbound": ("UnboundLocalError", "def f():\n    print(a)  # HERE\n    a = 1\nf()\n"),
    "bytes_text": ("UnicodeDecodeError", "def f(b):\n    return b.decode()  # HERE\nf(bytes([255]))\n"),
    "no_file": ("FileNotFoundError", "def f():\n    return open('/nowhere/at/all')  # HERE\nf()\n"),
    "stop_iteration": ("StopIteration", "def f():\n    return next(iter([]))  # HERE\nf()\n"),
    "suppressed": (
        "RuntimeError",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise RuntimeError('x') from None  # HERE\n",
    ),
}  # fmt: skip


def marked_line(source: str) -> int:
    """Return the number of the line that is to blame."""
    return next(n for n, line in enumerate(source.split("\n"), 1) if line.endswith(MARK))


def run(folder: Path, source: str, name: str = "prog.py") -> str:
    """Run a program in its folder and return what it wrote to stderr."""
    (folder / name).write_text(source)
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-B", str(folder / name)],
        capture_output=True, text=True, timeout=30, check=False, cwd=folder,
    )  # fmt: skip
    return done.stderr
