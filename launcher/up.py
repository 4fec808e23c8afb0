"""`./agentops up`: from a checkout to a running, supervised AgentOps."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import bootstrap, datadir, valkey, yours
from launcher.banner import banner, base_url, is_loopback, reachable
from launcher.child import Surroundings
from launcher.console import LauncherError, event, note, say
from launcher.environment import resolve
from launcher.guard import Guard
from launcher.layout import ROOT, Layout
from launcher.ports import bind_error, free_port
from launcher.prepared import is_prepared, remember
from launcher.readiness import Health
from launcher.signals import Signals
from launcher.stack import broker, manage, preparations, stack
from launcher.supervisor import KilledAtOnce, StopRequested, Supervisor

BROKER_LIMIT = 10.0
READY_LIMIT = 90.0


@dataclass(frozen=True)
class Start:
    """What one start was asked for, resolved."""

    layout: Layout
    host: str
    port: int
    demo: bool
    env: dict[str, str]

    @property
    def url(self) -> str:
        return base_url(self.host, self.port)


def up(arguments: Sequence[str]) -> int:
    """Install what is missing, start everything, watch over it; return when it was stopped.

    Returns 0 after a stop on request, 1 when the stack cannot stand, 130 when it was killed by a second request.
    """
    start = resolved(arguments)
    start.layout.make_folders()
    datadir.take_lock(start.layout, start.url)  # held until this process ends
    guard_lock = datadir.take_guard_lock(start.layout)
    refuse_busy_port(start.host, start.port)
    datadir.remember_demo(start.layout, demo=start.demo)
    bootstrap.ensure(start.layout, "requirements.txt", start.env)
    yours.check(start.layout, start.env)
    return run(start, guard_lock)


def resolved(arguments: Sequence[str]) -> Start:
    """Return what the command line, the environment, `.env` and the data folder say together."""
    asked = parser().parse_args(arguments)
    env = resolve(ROOT, base=os.environ)
    layout = Layout(ROOT, Path(env["AGENTOPS_DATA"]))
    demo = datadir.demo_mode(layout, asked=asked.demo)
    if demo and not is_loopback(asked.host):
        raise LauncherError(
            f"The demo has well-known people and faults to inject; it is not served on {asked.host}.\n"
            "Leave out --host, or start with --no-demo."
        )
    env["AGENTOPS_DEMO"] = "1" if demo else "0"
    env["AGENTOPS_URL"] = base_url(asked.host, asked.port)
    return Start(layout, asked.host, asked.port, demo, env)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="agentops up",
        description="Install what is missing, start everything and watch over it until Ctrl-C.",
        epilog="Settings come from the environment and from .env (see .env.example).",
    )
    made.add_argument("--port", type=port_number, default=8000, help="web port (default: 8000)")
    made.add_argument("--host", default="127.0.0.1", help="web address (default: 127.0.0.1)")
    made.add_argument(
        "--demo",
        action=argparse.BooleanOptionalAction,
        help="with a demo shop, demo people and faults to inject; kept for later starts "
        "(default: yes when the data folder is new)",
    )
    return made


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def refuse_busy_port(host: str, port: int) -> None:
    """Fail with advice, before anything is started, when the web server could not listen there."""
    error = bind_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        other = free_port(preferred=port + 1 if port < 65535 else None, host=host)
        raise LauncherError(
            f"Port {port} on {host} is busy: another program listens there.\n"
            f"Choose another one: ./agentops up --port {other}"
        )
    raise LauncherError(f"Cannot listen on {host} port {port}: {error.strerror or error}.")


def run(start: Start, guard_lock: int) -> int:
    """Start the stack under a supervisor and a guard, and stay until it ends."""
    layout = start.layout
    server = None
    if not start.env.get("REDIS_URL"):
        server = valkey.server(layout)
        start.env["REDIS_URL"] = valkey.prepare(layout).url
    guard = Guard(
        manage(layout, "stop_services"),
        log=layout.logs / "guard.log",
        env=start.env,
        lock=guard_lock,
    )
    with Signals() as signals:
        around = Surroundings(layout.root, layout.logs, start.env, guard.tell)
        supervisor = Supervisor(around, signals)
        status = serve(start, supervisor, server)
        event("Stopping (again Ctrl-C: kill at once).")
        # A guard that is not told "done" stops the watched services in our place.
        try:
            done = supervisor.stop()
        except KilledAtOnce:
            event("Killed.")
            return 130
        if done:
            guard.dismiss()
        event("Stopped." if done else "Stopped. The watched services get a few seconds more.")
        return status


def serve(start: Start, supervisor: Supervisor, server: str | None) -> int:
    """Run everything until somebody asks to stop (0) or it cannot stand any more (1)."""
    try:
        begin(start, supervisor, server)
        announce(start, supervisor)
        supervisor.forever()
    except StopRequested:
        return 0
    except (LauncherError, OSError) as error:
        event(str(error))
    return 1


def begin(start: Start, supervisor: Supervisor, server: str | None) -> None:
    """Start the broker, prepare the database beside it, then start what serves."""
    layout = start.layout
    if server:
        supervisor.start(broker(server, str(valkey.configuration(layout))))
    if not is_prepared(layout, start.env, demo=start.demo):
        note("Preparing the database")
        for step in preparations(layout, demo=start.demo):
            supervisor.run(step)
        remember(layout, demo=start.demo)
    embedded = valkey.last_broker(layout) if server else None
    if embedded and not supervisor.until(embedded.answers, BROKER_LIMIT):
        raise LauncherError(
            f"The embedded Valkey does not answer; see {layout.logs / 'valkey.log'}"
        )
    note("Starting the processes")
    for process in stack(layout, start.host, start.port):
        supervisor.start(process)


def announce(start: Start, supervisor: Supervisor) -> None:
    """Print the block once the stack answers, or what is missing when it does not in time."""
    health = Health(reachable(start.host), start.port)
    if not supervisor.until(health, READY_LIMIT):
        parts = ", ".join(supervisor.not_up()) or "no process has failed"
        event(
            f"Not everything is up after {READY_LIMIT:g} s: {health.problem}; {parts}.\n"
            f"Logs: {start.layout.shown(start.layout.logs)}/NAME.log. It goes on trying."
        )
    say(banner(start.layout, start.url, demo=start.demo))
