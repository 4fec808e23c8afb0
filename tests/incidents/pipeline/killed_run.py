"""A worker that kills itself with SIGKILL at a named point: `python -m ... DATABASE INCIDENT POINT`.

Points are `before:STEP`, `after:STEP` (committed, the next not begun), `inside:deploy.NAME` and `inside:verify.NAME` (right
after that part of the step).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrapped(function: Callable[..., Any], *, when: str) -> Callable[..., Any]:
    """Return the function with a SIGKILL of this process before or after it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die()
        result = function(*args, **kwargs)
        die()
        return result

    return call


def main(database: str, incident_id: int, point: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops_site.settings")
    django.setup()
    from django.db import connections

    connections["default"].settings_dict["NAME"] = database
    from incidents import providers
    from incidents.pipeline import deploy, runner, verify
    from incidents.states import Step

    when, _, name = point.partition(":")
    if when == "inside":
        module, _, part = name.partition(".")
        step = {"deploy": deploy, "verify": verify}[module]
        setattr(step, part, wrapped(getattr(step, part), when="after"))
    else:
        runner.STEPS[Step(name)] = wrapped(runner.STEPS[Step(name)], when=when)
    runner.run(incident_id, providers.tools())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
