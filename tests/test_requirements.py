"""What the product loads is what `requirements.txt` installs: a package that only tests bring would be missed by users first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOAD = """
import json, pkgutil, sys

class Missing:
    names = set(json.loads(sys.argv[1]))

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import agentops_site.serve, agentops_site.asgi, celery_app, kombu.transport.redis
import celery.bin.worker, celery.bin.beat, celery.beat, celery.concurrency.prefork, celery.concurrency.thread
import uvicorn.loops.uvloop, uvicorn.protocols.http.h11_impl, uvicorn.protocols.websockets.websockets_sansio_impl
for name in ("agentops_site", "incidents", "monitoring", "shop", "teams", "launcher"):
    for found in pkgutil.walk_packages(__import__(name).__path__, f"{name}."):
        if not found.name.endswith("__main__"):
            __import__(found.name)
print("all loaded")
"""


def _named(file: str) -> list[Requirement]:
    lines = (ROOT / file).read_text().splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def _installed_by(asked: list[Requirement]) -> set[str]:
    """Return the names of all distributions that these requirements bring, on this machine."""
    found: set[tuple[str, str]] = set()
    left = [(canonicalize_name(one.name), extra) for one in asked for extra in ("", *one.extras)]
    while left:
        name, extra = key = left.pop()
        if key in found:
            continue
        try:
            needs = [Requirement(text) for text in distribution(name).requires or ()]
        except PackageNotFoundError:
            continue  # asked for on another machine, or by an extra that nobody named
        found.add(key)
        left += [
            (canonicalize_name(need.name), brought)
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": extra})
            for brought in ("", *need.extras)
        ]
    return {name for name, _ in found}


def test_everything_loads_without_what_only_the_tests_bring() -> None:
    ours = _installed_by(_named("requirements.txt"))
    foreign = [
        name
        for name, brought in packages_distributions().items()
        if not {canonicalize_name(one) for one in brought} & ours
    ]
    assert "pytest" in foreign
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", LOAD, json.dumps(foreign)],
        cwd=ROOT,
        env={**os.environ, "CELERY_SKIP_CHECKS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.stdout.endswith("all loaded\n"), done.stderr[-800:]
