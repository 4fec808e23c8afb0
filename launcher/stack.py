"""The table of processes: what `up` starts, in this order; they stop in the reverse order."""

from __future__ import annotations

from launcher.child import Process
from launcher.layout import Layout


def manage(layout: Layout, *arguments: str) -> tuple[str, ...]:
    """Return the command line of one of Django's management commands."""
    return (str(layout.python), str(layout.root / "manage.py"), *arguments)


def broker(server: str, configuration: str) -> Process:
    """Return the embedded broker: first to start and last to stop, because every other process speaks through it."""
    return Process("valkey", (server, configuration), grace=0.6)


def preparations(layout: Layout, *, demo: bool) -> list[Process]:
    """Return the steps that must have succeeded before anything serves."""
    steps = [Process("migrate", manage(layout, "migrate", "--noinput"), once=True)]
    if demo:
        steps.append(Process("seed-demo", manage(layout, "seed_demo"), once=True))
    return steps


def stack(layout: Layout, host: str, port: int) -> list[Process]:
    """Return the processes that serve.

    The watched services stand before the workers, so that at the end they stop after them: a worker would take the
    planned stop for a failure and heal it. The graces add up to less than the 10 s that a stop may take.
    """
    python = str(layout.python)
    worker = (python, "-m", "celery", "-A", "celery_app", "worker", "--loglevel", "INFO",
              "--without-gossip", "--without-mingle", "--without-heartbeat")  # fmt: skip
    beat = (python, "-m", "celery", "-A", "celery_app", "beat", "--loglevel", "INFO",
            "--pidfile=", "--schedule", str(layout.run / "beat-schedule"))  # fmt: skip
    web = (python, "-m", "agentops_site.serve", "--host", host, "--port", str(port))
    probes = ("-n", "probes@%h", "--pool", "threads", "-c", "8", "-Q", "probes")
    agent = ("-n", "agent@%h", "--pool", "prefork", "-c", "2", "-Q", "agent")
    return [
        Process("web", web, grace=0.9),
        Process(
            "services",
            manage(layout, "start_services"),
            once=True,
            undo=manage(layout, "stop_services"),
            grace=2.8,
        ),
        Process("worker-probes", (*worker, *probes), grace=1.2),
        Process("worker-agent", (*worker, *agent), grace=2.5),
        Process("watcher", manage(layout, "watch_processes"), grace=0.7),
        Process("beat", beat, grace=0.7),
    ]
