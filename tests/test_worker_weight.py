"""What a worker loads stays in memory once a child and is waited for by its first incident."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.urls import reverse

from agentops_site import speaking
from incidents.models import ClearanceReport, Incident

SHARES = Path("/proc/self/autogroup")
WARM = """
import json, os, sys
os.environ["CELERY_SKIP_CHECKS"] = "1"  # as the launcher does
from celery_app import app
app.loader.import_default_modules()
app.Worker(queues=["agent"], pool="solo", quiet=True)  # Celery swallows what its signals' receivers raise
print(json.dumps(sorted(sys.modules)))
"""


def _said(script: str, *, alone: bool = False) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        start_new_session=alone,
    )
    return done.stdout.splitlines()[-1]


def test_an_agent_knows_its_parts_and_its_isolation_before_it_forks_but_no_pages_and_no_sdk() -> (
    None
):
    loaded = set(json.loads(_said(WARM)))
    assert "agentops_site.integrations.local_sandbox" in loaded
    assert "agentops_site.integrations.isolation.bubblewrap" in loaded
    for heavy in (
        "agentops_site.urls",
        "ninja",
        "unfold.admin",
        "anthropic",
        "blaxel",
        "elevenlabs",
    ):
        assert heavy not in loaded, heavy


SHARE = "from pathlib import Path; print(Path('/proc/self/autogroup').read_text().strip())"


@pytest.mark.skipif(not SHARES.exists(), reason="no kernel that shares time between sessions")
def test_an_agent_that_leads_its_session_gives_way_with_it() -> None:
    assert _said(WARM + SHARE, alone=True).endswith(" nice 5")


@pytest.mark.skipif(not SHARES.exists(), reason="no kernel that shares time between sessions")
def test_an_agent_in_the_session_of_others_leaves_its_share_alone() -> None:
    ours = SHARES.read_text().strip()  # nothing where this session is as old as the machine
    assert _said(WARM + SHARE) == ours


PROBES = """
import json, os, sys
os.environ["CELERY_SKIP_CHECKS"] = "1"
sys.argv = ["celery", "worker", "-Q", "probes"]
from celery_app import app
app.loader.import_default_modules()
print(json.dumps([sorted(sys.modules), sorted(app.tasks), sorted(
    {str(one["task"]) for one in app.conf.beat_schedule.values() if one["options"]["queue"] == "probes"}
)]))
"""


def test_a_worker_for_probes_knows_its_tasks_and_not_the_pipeline() -> None:
    loaded, known, wanted = json.loads(_said(PROBES))
    assert set(wanted) <= set(known)
    assert "shop.tasks.drive_traffic" in known
    assert "incidents.pipeline" not in loaded


@pytest.mark.parametrize(
    ("path", "name", "arguments"),
    [
        (Incident(pk=7).path, "incidents:incident", [7]),
        (ClearanceReport(pk=8).path, "incidents:report", [8]),
        (speaking.address("a1b2"), "voice_audio", ["a1b2"]),
    ],
)
def test_addresses_that_workers_write_down_are_those_of_the_pages(
    path: str, name: str, arguments: list[object]
) -> None:
    assert path == reverse(name, args=arguments)
