"""The corpus: failures of many kinds with their truth. Each is really caused in a running process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from tests.incidents.engine.patients import Fault, Running

T, A, P = "threaded", "asyncio_one", "package"


def send(number: int) -> Callable[[Running], object]:
    def act(patient: Running) -> None:
        patient.process.send_signal(number)
        limit = time.monotonic() + 5
        wanted = {"T"} if number == signal.SIGSTOP else {""}
        while patient.state().state not in wanted and time.monotonic() < limit:
            time.sleep(0.01)

    return act


# In each row `change` is: old text, new text, and a text on the line to blame: the one that a person would mend. Where a
# line is gone altogether that is the line which misses it.
Change = tuple[str, str, str]


def row(category: str, file: str, change: Change) -> dict[str, Any]:
    return {"category": category, "file": file, "line": change[2], "edits": {file: change[:2]}}


def code(name: str, patient: str, path: str, file: str, change: Change) -> Fault:
    """Return a fault in a request that raises on the changed line."""
    return Fault(name=name, patient=patient, path=path, **row("code", file, change))


def start(name: str, patient: str, file: str, change: Change) -> Fault:
    """Return a fault that keeps the service from starting."""
    return Fault(name=name, patient=patient, path="/health", **row("startup", file, change))


def config(name: str, patient: str, path: str, file: str, change: Change) -> Fault:
    """Return a fault in a config file."""
    return Fault(name=name, patient=patient, path=path, **row("config", file, change))


def waits(name: str, at: tuple[str, str], category: str, file: str, change: Change) -> Fault:
    """Return a fault that keeps a request waiting."""
    return Fault(name=name, patient=at[0], path=at[1], **row(category, file, change))


NET = "total(items, tax):\n"
REQUESTS = [
    code("name_error", T, "/total", "prices.py", ("return net *", "return nett *", "nett")),
    code("wrong_key", T, "/products?lamp", "catalog.py", ('name = item["name"]', 'name = item["title"]', '"title"')),
    code("none_has_no_method", T, "/products", "catalog.py", ('item["name"].lower()', 'item.get("label").lower()', '"label"')),
    code("wrong_type", T, "/total", "prices.py", ("(1 + tax)", '("1" + tax)', '"1"')),
    code("division", T, "/total", "prices.py", ("return net * (1 + tax)", "return net / 0", "/ 0")),
    code("index", T, "/total", "prices.py", ("    return net", "    net = [net][1]\n    return net", "[1]")),
    code("arguments", T, "/products", "server.py", ("catalog.search(query, CONFIG", "catalog.search(CONFIG", "catalog.search(")),
    code("recursion", T, "/products", "catalog.py", ("return all(word in name for word in words)", "return matches(item, words)", "return matches")),
    code("unbound", T, "/total", "prices.py", ("    return net", "    if tax > 1:\n        extra = 1\n    net += extra\n    return net", "net += extra")),
    code("assertion", T, "/total", "prices.py", ("    return net", "    assert tax > 1\n    return net", "assert")),
    code("own_exception", T, "/total", "prices.py", ("    return net", "    raise RuntimeError(tax)\n    return net", "raise")),
    code("chained", T, "/total", "prices.py", ("    return net", "    try:\n        net[0]\n    except TypeError as error:\n        raise ValueError('x') from error\n    return net", "net[0]")),
    code("unpacking", T, "/products", "prices.py", ("units, rest = divmod", "units, rest, more = divmod", "more")),
    code("bad_format", T, "/products", "prices.py", ("{rest:02}", "{currency:02d}", ":02d")),
    code("not_json", T, "/total", "server.py", ('{"total": amount,', '{"total": {amount},', "{amount}")),
    code("decode", T, "/total", "prices.py", ("    return net", "    bytes([255]).decode()\n    return net", "bytes(")),
    code("attribute_of_module", T, "/total", "server.py", ("prices.total(", "prices.totals(", "prices.totals")),
    code("log_only_traceback", A, "/report", "views.py", ('f"{name}: {count}"', 'f"{nme}: {count}"', "{nme}")),
    code("in_a_task_group", A, "/summary", "jobs.py", ("return COUNTS[name]", 'return COUNTS[name + "x"]', '"x"')),
    code("await_a_value", A, "/report", "views.py", ("rows = jobs.rows", "rows = await jobs.rows", "await jobs.rows")),
    code("async_timeout_of_its_own", A, "/summary", "jobs.py", ("await asyncio.sleep(0)", 'raise TimeoutError("own")', "raise TimeoutError")),
    code("html_page", P, "/tickets", "desk/api/tickets.py", ("row['text']", "row['txt']", "row['txt']")),
    code("database", P, "/users", "desk/core/store.py", ("select id, text from", "select id, body from", "query = f")),
    code("deep_in_the_package", P, "/tickets", "desk/core/mail.py", ('"urgent" in row["text"]', '"urgent" in row.text', "row.text")),
    Fault(name="function_taken_away", patient=T, path="/products", category="code", file="catalog.py", line="if matches(",
          edits={"catalog.py": ("def matches(", "def fits(")}),
    Fault(name="constant_taken_away", patient=A, path="/summary", category="code", file="jobs.py", line='"aa": 3',
          edits={"jobs.py": ('COUNTS = {"a": 3,', 'COUNTS = {"aa": 3,')}),
]  # fmt: skip

STARTS = [
    start("syntax", T, "prices.py", ("def total(items, tax):", "def total(items, tax:", "tax:")),
    start("indentation", A, "views.py", ("    rows = jobs", "      rows = jobs", "lines =")),
    start("module_gone", T, "server.py", ("import prices", "import price", "import price")),
    start("name_gone", P, "desk/web.py", ("import tickets, users", "import tickets, user", "import tickets, user")),
    start("raises_on_import", P, "desk/core/store.py", ("create table users", "create tabel users", "DATABASE.executescript(")),
    start("undefined_at_top", A, "jobs.py", ('"b": 4', '"b": four', "four")),
    Fault(name="file_deleted", patient=T, path="/health", category="startup", file="server.py", line="import prices",
          edits={"prices.py": None}),
    Fault(name="shadowing_file_added", patient=T, path="/health", category="startup", file="socketserver.py", line="undefined_here",
          edits={"socketserver.py": b"# our own\nx = undefined_here\n"}),
]  # fmt: skip

CONFIGS = [
    config("json_comma", T, "/health", "config.json", ('"page_size": 10,', '"page_size": 10', '"page_size"')),
    config("json_brace", T, "/health", "config.json", ('"digits": 2\n}', '"digits": 2\n]', "]")),
    config("json_quote", T, "/health", "config.json", ('"EUR"', '"EUR', '"EUR')),
    config("json_value_type", T, "/products", "config.json", ('"page_size": 10', '"page_size": "10"', '"page_size"')),
    config("json_key_renamed", T, "/total", "config.json", ('"tax": 0.19', '"taxes": 0.19', '"taxes"')),
    config("toml_broken", A, "/health", "settings.toml", ("limit = 2", "limit = ", "limit =")),
    config("toml_value_type", A, "/report", "settings.toml", ("limit = 2", 'limit = "2"', "limit =")),
    config("toml_key_gone", A, "/health", "settings.toml", ("every = 60.0", "# every = 60.0", "every")),
    config("ini_section", P, "/tickets", "desk.ini", ("[tickets]\n", "", "limit = 20")),
    config("ini_value", P, "/tickets", "desk.ini", ("limit = 20", "limit = many", "limit = many")),
    Fault(name="config_file_deleted", patient=T, path="/health", category="config", file="config.json", edits={"config.json": None}),
    Fault(name="variable_gone", patient=P, path="/health", category="config", environment={"DESK_SECRET": None}),
    Fault(name="variable_wrong", patient=P, path="/health", category="config", environment={"DESK_WORKERS": "two"}),
]  # fmt: skip

WAITS = [
    waits("sleep", (T, "/total"), "slow", "prices.py", (NET, NET + "    import time; time.sleep(10)\n", "sleep(10)")),
    waits("deadlock", (T, "/products"), "hang", "server.py", ("    with LOCK:\n        found", "    LOCK.acquire()\n    with LOCK:\n        found", "LOCK.acquire()")),
    waits("busy_loop", (T, "/products"), "hang", "catalog.py", ("    for item in ITEMS:", "    while size: pass\n    for item in ITEMS:", "while size")),
    waits("blocked_event_loop", (A, "/report"), "slow", "views.py", ("    rows = jobs", "    import time; time.sleep(10)\n    rows = jobs", "sleep(10)")),
    waits("joins_a_thread", (P, "/users"), "hang", "desk/api/users.py", ('    rows = store.all_of("users")', '    rows = store.all_of("users")\n    import threading\n    threading.Event().wait()', ".wait()")),
    waits("slow_not_dead", (T, "/total"), "slow", "prices.py", (NET, NET + "    import time; time.sleep(0.8)\n", "sleep(0.8)")),
]  # fmt: skip

PROCESSES = [
    Fault(name="killed", patient=T, path="/health", category="crash", act=send(signal.SIGKILL)),
    Fault(name="terminated", patient=A, path="/health", category="crash", act=send(signal.SIGTERM)),
    Fault(name="stopped", patient=T, path="/health", category="crash", act=send(signal.SIGSTOP)),
    Fault(name="stopped_after_a_harmless_edit", patient=P, path="/health", category="crash", act=send(signal.SIGSTOP),
          edits={"desk/api/users.py": ("def listing():\n", "def listing():\n    # all of them\n")}),
    Fault(name="exits_by_itself", patient=T, path="/total", category="crash", file="prices.py", line="os._exit(3)",
          edits={"prices.py": (NET, NET + "    import os; os._exit(3)\n")}),
    Fault(name="aborts", patient=T, path="/total", category="crash",
          edits={"prices.py": (NET, NET + "    import os; os.abort()\n")}),
]  # fmt: skip

HARMLESS: dict[str, tuple[str, str] | bytes | None] = {
    "desk/core/store.py": ("def all_of(table):\n", "def all_of(table):\n    # by number\n")
}
OUTSIDE = [
    Fault(name="dependency", patient=P, path="/mail", category="dependency", heals=False),
    Fault(name="dependency_after_a_harmless_edit", patient=P, path="/mail", category="dependency", edits=HARMLESS, heals=False),
    Fault(name="full_disk", patient=T, path="/total", category="resource",
          edits={"prices.py": (NET, NET + "    print('x', file=open('/dev/full', 'w'), flush=True)\n")}),
    Fault(name="open_files", patient=T, path="/total", category="resource", file="prices.py", line="KEPT = ",
          edits={"prices.py": (NET, NET + "    import resource\n    resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))\n"
                                          "    KEPT = [open('/dev/null') for _ in range(20)]\n")}),
    Fault(name="memory", patient=T, path="/total", category="resource", file="prices.py", line="10**15",
          edits={"prices.py": (NET, NET + "    hoard = bytearray(10**15)\n")}),
    Fault(name="port_taken", patient=T, path="/health", category="resource", file="server.py", line="again = ",
          edits={"server.py": ("    server.serve_forever()", "    again = ThreadingHTTPServer(server.server_address, Handler)\n"
                                                              "    again.serve_forever()")}),
]  # fmt: skip

CORPUS = [*REQUESTS, *STARTS, *CONFIGS, *WAITS, *PROCESSES, *OUTSIDE]
