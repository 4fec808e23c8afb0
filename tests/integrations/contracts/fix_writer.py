"""What every fix writer keeps (`incidents.ports.FixWriter`)."""

from __future__ import annotations

from dataclasses import replace

from incidents.engine import patches
from incidents.ports import FixError, FixWriter
from incidents.values import (
    DiagnosisDraft,
    EvidencePack,
    Wishes,
    actions_from_json,
    actions_to_json,
)


class FixWriterContract:
    """Mix in, with fixtures `writer`, `broken` (a stored pack) and `diagnosis` (of it)."""

    def test_its_best_fix_repairs_the_file_and_touches_no_other(
        self, writer: FixWriter, broken: EvidencePack, diagnosis: DiagnosisDraft
    ) -> None:
        first = writer.propose(broken, diagnosis, Wishes())[0]
        change = patches.apply(
            first.actions, broken.current, broken.last_good, broken.environment, None
        )
        patches.check_paths(change.writes, broken.editable_globs)
        assert set(change.writes) == {"handler.py"}
        assert b"price_cents" in (change.writes["handler.py"] or b"")

    def test_every_fix_is_explained_signed_and_of_typed_actions(
        self, writer: FixWriter, broken: EvidencePack, diagnosis: DiagnosisDraft
    ) -> None:
        for draft in writer.propose(broken, diagnosis, Wishes()):
            assert draft.explanation.strip()
            assert 0 < len(draft.author) <= 40
            assert actions_from_json(actions_to_json(draft.actions)) == draft.actions

    def test_asked_twice_it_says_the_same(
        self, writer: FixWriter, broken: EvidencePack, diagnosis: DiagnosisDraft
    ) -> None:
        once = writer.propose(broken, diagnosis, Wishes())
        assert writer.propose(broken, diagnosis, Wishes()) == once

    def test_where_nothing_is_known_it_proposes_nothing_or_says_why(
        self, writer: FixWriter, broken: EvidencePack, diagnosis: DiagnosisDraft
    ) -> None:
        empty = replace(broken, current={}, last_good=None, items=(), attempt=broken.attempt + 1)
        try:
            drafts = writer.propose(empty, diagnosis, Wishes())
        except FixError as error:
            assert str(error)  # noqa: PT017 - either way is right
        else:
            assert all(draft.actions for draft in drafts)
