"""What Lighthouse says of list, incident and shop, as a phone on a slow line: performance, accessibility, best practices.

Run `./agentops bench lighthouse`. It wants Google's `lighthouse` (npm) on the PATH, or its address in LIGHTHOUSE; it is no part of
this project. The stack is a whole one with a healed bug and a crash that waits; list and incident are the team lead's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench._report import Goal, at_least, report
from bench._stack import Stack

KINDS = {"performance": 95, "accessibility": 100, "best-practices": 100}
TIMES = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time")
CHROMIUM = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
HOW = (
    "There is no lighthouse on the PATH. Install it outside this checkout (npm install lighthouse) and name it:\n"
    "  LIGHTHOUSE=FOLDER/node_modules/.bin/lighthouse ./agentops bench lighthouse"
)


def main() -> int:
    """Run it several times a page and report the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    program = os.environ.get("LIGHTHOUSE") or shutil.which("lighthouse")
    if not program:
        print(HOW)
        return 0
    from tests.screens import running

    with running() as stack, tempfile.TemporaryDirectory(prefix="agentops-light-") as folder:
        pages = {"list": "/", "incident": _waiting(stack), "shop": "/shop/"}
        headers = Path(folder) / "headers.json"
        headers.write_text(json.dumps({"Cookie": _cookie(stack)}))
        answers = {
            name: [_run(program, stack.url + path, headers) for _ in range(runs)]
            for name, path in pages.items()
        }
    goals = [goal for name, found in answers.items() for goal in _goals(name, found)]
    return report("lighthouse", "Lighthouse, as a phone on a slow line", goals, {"runs": runs})


def _waiting(stack: Stack) -> str:
    return f"/incidents/{stack.incident('AWAITING_APPROVAL')['id']}/"


def _cookie(stack: Stack) -> str:
    """Sign the lead in by the demo button and return the cookie header."""
    from tests.screens import a_browser, signed_in

    with a_browser() as browser:
        cookies = signed_in(browser, stack, "shweta", (390, "light")).cookies()
    return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)


def _run(program: str, address: str, headers: Path) -> dict[str, Any]:
    """Return one audit; a trace that Chromium lost, which Lighthouse asks to take again, is taken again twice."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    command = [
        *(program, address, "--quiet", "--output=json", f"--extra-headers={headers}"),
        *(f"--only-categories={','.join(KINDS)}", f"--chrome-flags={CHROMIUM}"),
    ]
    for _ in range(3):
        done = subprocess.run(  # noqa: S603 - the program that the caller named, on our own address
            command,
            env=os.environ | {"CHROME_PATH": chromium},
            stdout=subprocess.PIPE,  # what goes wrong is said on the console
            check=False,
            timeout=180,
        )
        if done.returncode == 0:
            break
    done.check_returncode()
    return dict(json.loads(done.stdout))


def _goals(name: str, found: list[dict[str, Any]]) -> list[Goal]:
    """Return the median score of each kind, with what fell short, and the median times."""
    goals = []
    for kind, least in KINDS.items():
        scores = [run["categories"][kind]["score"] * 100 for run in found]
        goals.append(at_least(f"{name}: {kind}", statistics.median(scores), least))
    times = [
        f"{audit.replace('-', ' ')} {statistics.median(run['audits'][audit]['numericValue'] for run in found):.0f} ms"
        for audit in TIMES
    ]
    return [*goals, Goal(what=f"{name}: {', '.join(times)}", measured="")]


if __name__ == "__main__":
    sys.exit(main())
