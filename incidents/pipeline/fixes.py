"""From a draft to the exact change: the one place that computes what a fix writes and what it was made against."""

from __future__ import annotations

from incidents.engine import patches
from incidents.models import Fix, Incident
from incidents.values import (
    EvidencePack,
    FixDraft,
    ProposedChange,
    actions_from_json,
    actions_to_json,
    digest_of,
    tree_digest,
)
from monitoring.models import Blob
from monitoring.values import Tree
from teams.models import User


def build_fix(
    incident: Incident, pack: EvidencePack, draft: FixDraft, *, proposer: User | None = None
) -> Fix:
    """Return an unsaved Fix with exactly what its actions write.

    Raises `PatchError` when the actions do not fit the files, or touch one that the service does not declare editable.
    """
    change = patches.apply(
        draft.actions, pack.current, pack.last_good, pack.environment, pack.last_good_environment
    )
    patches.check_paths(change.writes, pack.editable_globs, pack.protected)
    actions = actions_to_json(draft.actions)
    writes = _kept_writes(pack, change)
    return Fix(
        incident=incident,
        attempt=incident.attempt,
        author=draft.author,
        proposer=proposer,
        actions=actions,
        writes=writes,
        environment=change.environment,
        restarts=change.restarts,
        diff=patches.unified_diff(pack.current, change.writes),
        explanation=draft.explanation,
        risks=draft.risks,
        digest=digest_of({"actions": actions, "writes": writes, "environment": change.environment}),
        base_digest=base_digest(pack.current, pack.environment),
        lines_changed=patches.lines_changed(pack.current, change.writes),
        proved_minimal=draft.proved_minimal,
    )


def _kept_writes(pack: EvidencePack, change: patches.Change) -> dict[str, dict[str, str | None]]:
    """Store the bytes before and after, and return path -> {before, after} as digests (None: no file)."""
    before = {path: pack.current[path] for path in change.writes if path in pack.current}
    after = {path: data for path, data in change.writes.items() if data is not None}
    old, new = Blob.keep(before), Blob.keep(after)
    return {path: {"before": old.get(path), "after": new.get(path)} for path in change.writes}


def base_digest(tree: Tree, environment: object) -> str:
    """Return the digest of everything a fix is made against: all editable files and the environment."""
    return digest_of({"tree": tree_digest(tree), "environment": environment})


def written_bytes(fix: Fix) -> dict[str, bytes | None]:
    """Return the exact bytes that a fix writes; None deletes the file."""
    after = {path: digests["after"] for path, digests in fix.writes.items()}
    return stored_bytes(after)


def stored_bytes(manifest: dict[str, str | None]) -> dict[str, bytes | None]:
    """Return path -> bytes for digests of kept bytes, None for "no file"."""
    data = Blob.read({path: sha for path, sha in manifest.items() if sha})
    return {path: data.get(path) for path in manifest}


def change_of(incident: Incident, pack: EvidencePack, fix: Fix) -> ProposedChange:
    """Return the exact change that a fix makes, for a reviewer."""
    return ProposedChange(
        service=incident.service.name,
        actions=actions_from_json(fix.actions),
        before=pack.current,
        after=written_bytes(fix),
        diff=fix.diff,
        editable_globs=pack.editable_globs,
        author=fix.author,
        incident_reference=f"incident-{incident.pk}",
        environment=pack.environment,
    )
