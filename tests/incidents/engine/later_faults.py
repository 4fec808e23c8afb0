"""Fifteen failures that were written after the rules, without looking at them: how well do the rules do on new kinds?

The first run, before anything was mended for them, found the category in 14, the file in 14 and the line in 12, and blamed
no innocent file; all 15 ended as they should. bench/results/diagnosis.json holds the present figures.
"""

from __future__ import annotations

from tests.incidents.engine.faults import NET, A, P, T, code, config, start, waits
from tests.incidents.engine.patients import Fault

LOOP = "    return sorted(COUNTS.items())[:limit]"
LATER = [
    code("bad_pattern", T, "/products", "catalog.py",
         ("    found = []\n", '    import re\n    re.compile("(lamp")\n    found = []\n', "re.compile")),
    code("data_file_missing", T, "/total", "prices.py",
         (NET, NET + '    tax = float(open("rates.txt").read())\n', "rates.txt")),
    code("changed_while_iterating", A, "/report", "jobs.py",
         (LOOP, "    for key in COUNTS:\n        COUNTS.pop(key)\n" + LOOP, "for key in COUNTS")),
    code("iterator_is_empty", T, "/products", "catalog.py",
         ("    return found[:size]", "    return [next(i for i in found if i['stock'] > 99)]", "next(")),
    code("closed_database", P, "/users", "desk/core/store.py",
         ("def all_of(table):\n", "DATABASE.close()\n\n\ndef all_of(table):\n", "DATABASE.close()")),
    code("forgotten_await", A, "/summary", "views.py",
         ('first = group.create_task(jobs.count("a"))', 'first = jobs.count("a")', "first = jobs")),
    Fault(name="source_is_not_utf8", patient=T, path="/health", category="startup", file="prices.py", line="NAME = ",
          edits={"prices.py": b"NAME = 'caf\xe9'\n\n\ndef shown(item, currency):\n    return item\n\n\ndef total(items, tax):\n    return 1.0\n"}),
    Fault(name="circular_import", patient=T, path="/health", category="startup", file="prices.py", line="from catalog import",
          edits={"prices.py": ("def shown(", "from catalog import search\n\n\ndef shown("),
                 "catalog.py": ("ITEMS = [", "from prices import total\n\nITEMS = [")}),
    config("ini_key_twice", P, "/health", "desk.ini", ("limit = 20\n", "limit = 20\nlimit = 30\n", "limit = 30")),
    config("json_float_for_int", T, "/total", "config.json", ('"digits": 2', '"digits": 2.5', '"digits"')),
    waits("waits_for_a_program", (T, "/total"), "hang", "prices.py",
          (NET, NET + '    import subprocess; subprocess.run(["sleep", "30"])\n', "subprocess.run")),
    waits("awaits_what_never_comes", (A, "/summary"), "hang", "jobs.py",
          ("    await asyncio.sleep(0)", "    await asyncio.Event().wait()", "Event().wait()")),
    Fault(name="segfault", patient=T, path="/total", category="crash",
          edits={"prices.py": (NET, NET + "    import ctypes; ctypes.string_at(0)\n")}),
    start("listens_elsewhere", T, "server.py", ("int(sys.argv[1])", "int(sys.argv[1]) + 1", "+ 1")),
    Fault(name="gives_up_at_start", patient=P, path="/health", category="crash", file="desk/core/settings.py", line="raise SystemExit",
          edits={"desk/core/settings.py": ('"2"))\n', '"2"))\nif WORKERS < 3:\n    raise SystemExit("three workers at least")\n')}),
]  # fmt: skip
