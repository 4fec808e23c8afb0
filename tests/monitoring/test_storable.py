"""PostgreSQL refuses NUL in any text; a service whose answers and logs hold it must be healed all the same."""

from __future__ import annotations

from monitoring.outcomes import verdict_from_json, verdict_to_json
from monitoring.values import Health, Symptom, Verdict, storable


def test_a_verdict_is_kept_without_nul() -> None:
    verdict = Verdict(
        health=Health.DOWN, symptom=Symptom.HTTP_ERROR, detail="a\x00b", traceback="\x00"
    )
    kept = verdict_to_json(verdict)
    assert "\x00" not in repr(kept["detail"] + kept["traceback"])
    back = verdict_from_json(kept)
    assert back is not None
    assert back.detail == "a\ufffdb"


def test_other_text_is_left_as_it_is() -> None:
    assert storable("ä\n\t\U0001f600") == "ä\n\t\U0001f600"
