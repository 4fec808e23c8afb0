"""Thirty-six failures of kinds that the corpus did not have, written before the engine was run on any of them.

The first run, before anything was mended for them, found the category in 34, the file in 34 and the line in 32, and blamed
no innocent file; all 36 ended as they should. Two truths were wrong and have been put right since: the locked database (the
second request already stops at the lock) and the failing TLS (a peer that hung now and then; now a certificate that is none).
"""

from __future__ import annotations

from tests.incidents.engine.faults import NET, A, P, T, code, config, start, waits
from tests.incidents.engine.patients import Fault

RETURNS = "    return net * (1 + tax)"
POOL = """    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda item: item["nme"], ITEMS))
    found = []"""
THREAD = """    import threading
    box = {}
    helper = threading.Thread(target=lambda: box.update(total=net / len(items[3:])))
    helper.start()
    helper.join()
    return box["total"]"""
DECORATED = """def traced(function):
    def wrapper(*args):
        try:
            return function(*args)
        except Exception as error:
            raise RuntimeError("the listing failed") from error

    return wrapper


@traced
def title(row):
    return f"#{row['id']} {row['txt'].strip()}" + mail.marker(row)"""
LOCKED = """    other = sqlite3.connect("desk.db", timeout=0.05)
    other.execute("begin exclusive")
    sqlite3.connect("desk.db", timeout=0.05).execute("create table if not exists x (a)")
    return DATABASE"""
DATACLASS = """    from dataclasses import dataclass
    @dataclass
    class Price:
        cents: int
        currency: str
    return Price(net).cents"""
TLS = """    import ssl
    ssl.create_default_context(cafile="config.json")
    return net"""

BLIND = [
    code("generator_stops", T, "/total", "prices.py", ('sum(item["price"] for', 'sum(next(iter([])) for', "next(iter")),
    code("group_by_hand", T, "/total", "prices.py", (RETURNS, '    raise ExceptionGroup("bad prices", [ValueError(net)])', "raise ExceptionGroup")),
    code("pool_future", T, "/products", "catalog.py", ("    found = []", POOL, '"nme"')),
    code("thread_that_died", T, "/total", "prices.py", (RETURNS, THREAD, "box.update")),
    code("behind_a_decorator", P, "/tickets", "desk/api/tickets.py",
         ("def title(row):\n    return f\"#{row['id']} {row['text'].strip()}\" + mail.marker(row)", DECORATED, "['txt']")),
    code("calls_itself", P, "/users", "desk/core/settings.py", ("return PARSER.get(section, name)", "return text(section, name)", "return text(")),
    code("database_locked", P, "/users", "desk/core/store.py", ("    return DATABASE", LOCKED, "begin exclusive")),
    code("no_such_table", P, "/users", "desk/api/users.py", ('all_of("users")', 'all_of("user")', "all_of")),
    start("cycle_in_a_package", P, "desk/core/settings.py", ("import os\n", "import os\n\nfrom desk.api.tickets import title\n", "from desk.api.tickets")),
    code("dataclass_field", T, "/total", "prices.py", (RETURNS, DATACLASS, "Price(net)")),
    waits("backtracking", (T, "/products"), "hang", "catalog.py",
          ('    name = item["name"].lower()', '    import re; re.match(r"(a+)+$", "a" * 40 + "b")\n    name = item["name"].lower()', "re.match")),
    code("program_too_slow", T, "/total", "prices.py", (RETURNS, '    import subprocess\n    subprocess.run(["sleep", "30"], timeout=0.2)\n    return net', "subprocess.run")),
    code("program_fails", T, "/total", "prices.py", (RETURNS, '    import subprocess\n    subprocess.run(["false"], check=True)\n    return net', "subprocess.run")),
    code("tls", T, "/total", "prices.py", (RETURNS, TLS, "cafile")),
    code("folder_for_a_file", T, "/total", "prices.py", (RETURNS, '    open("/tmp").read()\n    return net', "open(")),
    config("ini_interpolation", P, "/users", "desk.ini", ("separator = ; ", "separator = %; ", "separator")),
    config("ini_no_equals", P, "/health", "desk.ini", ("limit = 20", "limit 20", "limit 20")),
    config("toml_key_twice", A, "/health", "settings.toml", ("limit = 2", "limit = 2\nlimit = 3", "limit = 3")),
    config("toml_no_quotes", A, "/health", "settings.toml", ('separator = ", "', "separator = , ", "separator")),
    config("toml_table_renamed", A, "/report", "settings.toml", ("[report]", "[reports]", "[reports]")),
    config("json_last_comma", T, "/health", "config.json", ('"digits": 2', '"digits": 2,', '"digits"')),
    config("json_comment", T, "/health", "config.json", ('  "tax"', '  // nineteen percent\n  "tax"', "//")),
    config("json_null", T, "/total", "config.json", ('"tax": 0.19', '"tax": null', '"tax"')),
    config("json_number_as_text", T, "/total", "config.json", ('"digits": 2', '"digits": "2"', '"digits"')),
    code("late_import", T, "/total", "prices.py", (RETURNS, "    import taxes_of_the_world\n    return net", "import taxes")),
    code("wait_for", A, "/report", "views.py", ("    rows = jobs", "    await asyncio.wait_for(asyncio.sleep(5), 0.1)\n    rows = jobs", "wait_for")),
    code("async_generator", A, "/report", "views.py", ("for name, count in rows]", "for name, count in (row async for row in rows)]", "async for")),
    code("loop_in_a_loop", A, "/summary", "views.py",
         ("    async with asyncio.TaskGroup() as group:", '    asyncio.run(jobs.count("a"))\n    async with asyncio.TaskGroup() as group:', "asyncio.run")),
    code("keys_of_two_types", A, "/report", "jobs.py", ('COUNTS = {"a": 3,', 'COUNTS = {"a": 3, None: 1,', "COUNTS = ")),
    code("circular_reference", T, "/products", "prices.py", ("    return {**item,", '    item["self"] = item\n    return {**item,', 'item["self"]')),
    code("forgotten_return", T, "/total", "prices.py", (RETURNS, "    net * (1 + tax)", "net * (1 + tax)")),
    Fault(name="too_much_memory", patient=T, path="/total", category="resource", file="prices.py", line="bytearray",
          edits={"prices.py": (NET, NET + "    bytearray(10**16)\n")}),
    start("variable_misspelt", P, "desk/core/settings.py", ('environ["DESK_SECRET"]', 'environ["DESK_SECRTE"]', "SECRTE")),
    code("decimal", T, "/total", "prices.py", (RETURNS, '    from decimal import Decimal\n    return float(Decimal("1,19") * net)', "Decimal(")),
    code("naive_and_aware", T, "/total", "prices.py", (RETURNS, "    from datetime import UTC, datetime\n    assert datetime.now() < datetime.now(UTC)\n    return net", "datetime.now(UTC)")),
    code("beside_a_logging_error", A, "/report", "views.py",
         ("    lines = [f\"{name}:", "    import logging; logging.warning('%d rows', 'two')\n    lines = [f\"{nme}:", "{nme}")),
]  # fmt: skip

# Ten more, written after the first thirty-six had been mended for, and run blind as well: category 10, file 8, line 8 of 10.
PROPERTY = """    class Cart:
        @property
        def net(self):
            return net
    cart = Cart()
    cart.net = 1
    return cart.net"""
AGAIN = [
    code("set_a_property", T, "/total", "prices.py", (RETURNS, PROPERTY, "cart.net = 1")),
    code("gathered", A, "/summary", "views.py",
         ("    async with asyncio.TaskGroup()", '    await asyncio.gather(jobs.count("a"), jobs.count("z"))\n    async with asyncio.TaskGroup()', "gather(")),
    code("key_that_json_refuses", T, "/products", "prices.py", ("return {**item,", "return {(1, 2): 3, **item,", "(1, 2)")),
    code("generator_for_a_list", T, "/products", "catalog.py", ("    found = []\n", "    found = (item for item in ITEMS)\n", "found = (")),
    code("became_a_coroutine", A, "/report", "jobs.py", ("def rows(limit):", "async def rows(limit):", "async def rows")),
    code("setting_of_the_database", P, "/users", "desk/core/store.py",
         ("DATABASE.row_factory = sqlite3.Row", "# DATABASE.row_factory = sqlite3.Row", "row_factory")),
    code("emptied_constant", T, "/total", "catalog.py", ("ITEMS = [\n", "ITEMS = None\nOTHERS = [\n", "ITEMS = None")),
    Fault(name="constant_under_another_name", patient=P, path="/mail", category="code", file="desk/core/mail.py", line="create_connection",
          edits={"desk/core/mail.py": ("HOST, PORT =", "HOSTNAME, PORT =")}, heals=False),  # nobody listens there anyway
    config("json_percent", T, "/total", "config.json", ('"tax": 0.19', '"tax": "19 %"', '"tax"')),
    config("ini_remark", P, "/tickets", "desk.ini", ("limit = 20", "limit = 20 # at most", "limit")),
]  # fmt: skip
