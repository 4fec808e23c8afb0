"""What the commands that start and stop services share: which ones, and many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from monitoring.models import Service
from monitoring.ports import TargetError
from monitoring.values import ProcessState, ServiceSpec

AT_ONCE = 8
Say = Callable[[str], object]


def local_specs(**conditions: object) -> list[ServiceSpec]:
    """Return the specs of the local services that meet the conditions (fields of `Service`)."""
    rows = Service.objects.filter(runtime=Service.Runtime.LOCAL, **conditions)
    return [service.spec() for service in rows]


def for_each(
    specs: Sequence[ServiceSpec], act: Callable[[ServiceSpec], ProcessState], say: Say
) -> int:
    """Act on all services side by side, say a line for each, and return for how many it failed."""

    def one(spec: ServiceSpec) -> bool:
        try:
            state = act(spec)
        except TargetError as error:
            say(f"failed: {error}")
            return False
        say(f"{spec.slug}: {state.phase}" + (f", process {state.pid}" if state.pid else ""))
        return True

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return sum(not done for done in pool.map(one, specs))
