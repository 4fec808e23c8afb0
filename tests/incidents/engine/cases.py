"""Causes a failure of the corpus for real, and says whether a proposed fix really heals it."""

from __future__ import annotations

from pathlib import Path

from incidents.engine.patches import apply
from incidents.values import EvidencePack, FixDraft
from tests.incidents.engine.patients import Fault, failure_of, pack_of, running


def evidence(fault: Fault, folder: Path) -> EvidencePack:
    """Run the patient with the fault and return what is seen of it."""
    with running(fault.patient, fault.broken_tree(), fault.broken_environment(), folder) as patient:
        if patient.listens():
            if fault.act:
                fault.act(patient)
            failure_of(
                patient, fault.path
            )  # what ends the process with this request is seen by the next probe
        failure = failure_of(patient, fault.path)
        assert failure is not None, f"{fault.name}: the fault does not show"
        return pack_of(fault, patient, failure)


def heals(fault: Fault, pack: EvidencePack, draft: FixDraft, folder: Path) -> bool:
    """Return whether the patient starts and answers with the fix."""
    change = apply(
        draft.actions, pack.current, pack.last_good, pack.environment, pack.last_good_environment
    )
    tree = {p: data for p, data in {**pack.current, **change.writes}.items() if data is not None}
    environment = dict(pack.environment) if change.environment is None else change.environment
    folder.mkdir()
    with running(fault.patient, tree, environment, folder) as patient:
        return patient.listens() and failure_of(patient, fault.path) is None
