"""The block that `up` prints when everything answers."""

from __future__ import annotations

import ipaddress
import json
import os

from launcher.console import indented
from launcher.layout import Layout

PAGES = (("Dashboard", "/"), ("Shop", "/shop/"), ("Admin", "/admin/"), ("API docs", "/api/v1/docs"))


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a server on that host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reachable(host: str) -> str:
    """Return an address at which this machine reaches a server that listens on host."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound


def base_url(host: str, port: int) -> str:
    host = reachable(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def banner(layout: Layout, url: str, *, demo: bool) -> str:
    """Return the block: where to look, who may sign in, where the data lies, how to stop."""
    data = layout.shown(layout.data)
    lines = ["", "AgentOps is running."]
    lines += [f"  {name:<10} {url}{path}" for name, path in PAGES]
    lines += demo_people(layout) if demo else NO_DEMO.splitlines()
    lines += [f"  {'Data':<10} {data}  (logs in {data}/logs)"]
    lines += [f"  {'Stop':<10} Ctrl-C, or: kill {os.getpid()}", ""]
    return "\n".join(lines)


NO_DEMO = (
    f"  {'Sign in':<10} with an account of yours; the first: ./agentops manage createsuperuser"
)


def demo_people(layout: Layout) -> list[str]:
    """Return the lines on the demo sign-ins, from what `seed_demo` left in the data folder."""
    file = layout.data / "demo.json"
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        password = facts["password"]
        people = [
            (str(each["email"]), str(each["role"]).replace("_", " ")) for each in facts["people"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"  Sign in    the demo people are not known: {layout.shown(file)}: {error}"]
    width = max((len(email) for email, _ in people), default=0)
    listed = "\n".join(f"{email:<{width}}  {role}" for email, role in people)
    return [
        f"  {'Sign in':<10} demo people, all with the password {password}",
        *indented(listed).splitlines(),
    ]
