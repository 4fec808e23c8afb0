"""The task queue and its beat schedule: every periodic job of the product stands in this file."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops_site.settings")

# Beat sends tasks by name and runs none: without Django's apps and our tasks it needs half the memory.
IS_BEAT = "beat" in sys.argv[1:]
# A worker that takes probes alone needs neither the pipeline nor what reads and writes fixes: 13 MB.
APPS_OF_QUEUE = {"probes": ["monitoring", "shop"]}
KEEP_PROBING = "monitoring.tasks.keep_probing"


def _queue() -> str:
    """Return what follows `-Q` on the command line: the queues that this worker takes, "" for all."""
    words = sys.argv[1:]
    return words[words.index("-Q") + 1] if "-Q" in words[:-1] else ""


app = Celery("agentops", fixups=[] if IS_BEAT else None)
app.config_from_object("django.conf:settings", namespace="CELERY")
if not IS_BEAT:
    from agentops_site.heartbeat import Heartbeat

    app.autodiscover_tasks(APPS_OF_QUEUE.get(_queue()))
    app.steps["worker"].add(Heartbeat)  # /healthz asks for it


def give_way() -> None:
    """Let the pages and the probes go first, where the kernel shares time out between sessions.

    Niceness would be handed on to the services that a deploy starts; this is not: each of them has a session of its own. A
    worker that shares its session, with a terminal or a test, leaves it alone.
    """
    if os.getsid(0) != os.getpid():
        return
    with suppress(OSError):  # no such kernel
        Path("/proc/self/autogroup").write_text("5")


@worker_init.connect
def share_what_is_loaded(sender: Any, **_: Any) -> None:
    """Load in the parent what its children share, so that no incident waits for it after a child was made anew.

    Keep the collector off it, or every forked child gets a copy of those pages.
    """
    if "agent" in sender.app.amqp.queues.consume_from:
        from incidents import providers

        providers.warm()
        give_way()
    gc.collect()
    gc.freeze()


@worker_ready.connect
def probe_at_once(sender: Any, **_: Any) -> None:
    """Let a prober that has just started, perhaps in the place of a killed one, not wait for beat's next message."""
    if "probes" in sender.app.amqp.queues.consume_from:
        app.send_task(KEEP_PROBING, queue="probes", expires=5.0, retry=False)


def _every(seconds: float, task: str, queue: str) -> dict[str, object]:
    """Return a beat entry whose unconsumed ticks expire before the next one is sent.

    Without `expires` a worker that was away for an hour would come back to 3,600 ticks.
    """
    return {
        "task": task,
        "schedule": seconds,
        "options": {"queue": queue, "expires": seconds * 0.9},
    }


# A message costs beat and a worker more than the job itself (docs/decisions/0005): few of them, each for much.
app.conf.beat_schedule = {
    "probe due services": _every(5.0, KEEP_PROBING, "probes"),  # probing.STAY
    "roll up and prune": _every(60.0, "monitoring.tasks.prune", "probes"),
    "tend incidents": _every(5.0, "agentops_site.tasks.tend", "agent"),
    "serve orders": _every(6.0, "shop.tasks.serve_orders", "probes"),  # shop.tasks.STAY
    "refill shelf": _every(20.0, "shop.tasks.refill_shelf", "probes"),
    "keep remote good": _every(30.0, "agentops_site.tasks.keep_remote_good", "agent"),
    "prune deliveries": _every(3600.0, "incidents.tasks.prune_deliveries", "agent"),
}
