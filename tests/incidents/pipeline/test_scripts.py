"""What a trial replays, put together from the evidence alone."""

from __future__ import annotations

import pytest

from incidents.models import Incident
from incidents.pipeline.scripts import script_of
from incidents.values import EvidencePack, Exchange, Failure
from monitoring.models import Service
from monitoring.values import Answer, HttpRequest, ProcessState

ITEMS = HttpRequest(path="/items")


def pack(failure: Failure, **more: object) -> EvidencePack:
    parts: dict[str, object] = {
        "service": "Shop", "directory": "/srv/shop", "is_python": True, "failure": failure, "items": (),
        "process": ProcessState(), "log_tail": "", "stacks": "", "current": {}, "last_good": None, "environment": {},
        "last_good_environment": None, "editable_globs": ("*",),
    }  # fmt: skip
    return EvidencePack(**{**parts, **more})  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_wrong_answer_with_status_200_that_the_recorder_calls_good_is_replayed_as_failing() -> (
    None
):
    service = Service.objects.create(name="Shop", slug="shop", directory="/srv/shop", port=4000)
    incident = Incident(service=service, fingerprint="f", failure={})
    recorded = Exchange(request=ITEMS, expected=Answer(status=200), source="smoke", order=3)
    failure = Failure(symptom="wrong_answer", method="GET", path="/items", status=200)
    script = script_of(incident, pack(failure, good=(recorded,)))
    assert [one.request for one in script.exchanges if not one.good] == [ITEMS]
    assert [one.request.path for one in script.exchanges].count("/items") == 1
