"""What runs inside a sandbox for us: reading, writing and copying a service's files by the very code that does it here.

Sent to the sandbox with the few modules it imports (`blaxel_machine.PARTS`); standard library otherwise. Paths are
relative to our folder there. The arguments are JSON in $AGENTOPS_ARGS, the result is one line of JSON.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentops_site.integrations import local_tree, local_writes
from agentops_site.integrations.isolation import data_copy
from monitoring.globs import safe_relative
from monitoring.ports import TargetError
from monitoring.values import ServiceSpec

Args = dict[str, Any]
NO_DIRECTORY = "no directory"
_MARKS = "marks.json"


def tree(args: Args) -> Args:
    """Put the editable files into `out`."""
    spec = _spec(args)
    if not Path(spec.directory).is_dir():
        return {"error": NO_DIRECTORY, "permanent": False}
    _pack(dict(local_tree.read_tree(spec)), args["out"])
    return {}


def write(args: Args) -> Args:
    """Write the files of the bundle, all or none."""
    if not Path(args["directory"]).is_dir():
        return {"error": NO_DIRECTORY, "permanent": False}
    local_writes.write_files(_spec(args), _unpacked(args["bundle"]))
    return {}


def exists(args: Args) -> Args:
    """Say whether a folder is there."""
    return {"existed": Path(args["directory"]).is_dir()}


def unpack(args: Args) -> Args:
    """Make a folder of the bundles' files, whole or not at all; an existing one stays as it is."""
    target = Path(args["directory"])
    if target.exists():
        return {"existed": True}
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=".draft-"))
    for bundle in args["bundles"]:
        for name, data in _unpacked(bundle).items():
            _put(draft, name, data or b"")
    draft.chmod(0o755)
    draft.rename(target)
    if args.get("marked"):
        Path(f"{target}.{_MARKS}").write_text(json.dumps(_marks(target)))
    return {"existed": False}


def export(args: Args) -> Args:
    """Put a consistent copy of the data files into `out`."""
    data = data_copy.Data(
        source=Path(args["directory"]),
        globs=tuple(args["data_globs"]),
        max_bytes=args["max_bytes"],
        leave_out=frozenset(args["leave_out"]),
    )
    with tempfile.TemporaryDirectory() as folder:
        digest = data_copy.copy(data, Path(folder))
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in Path(folder).rglob("*")
            if path.is_file()
        }
    _pack(files, args["out"])
    return {"digest": digest}


def remove(args: Args) -> Args:
    """Return which files of a folder made by `unpack` were changed since, and remove it with what lies beside it."""
    target, marks = Path(args["directory"]), Path(f"{args['directory']}.{_MARKS}")
    before = json.loads(marks.read_text()) if marks.exists() else {}
    after = _marks(target)
    shutil.rmtree(args["top"], ignore_errors=True)
    names = before.keys() | after.keys()
    return {"changed": sorted(name for name in names if before.get(name) != after.get(name))}


def _spec(args: Args) -> ServiceSpec:
    return ServiceSpec(
        id=0,
        slug=args["slug"],
        runtime="local",
        directory=args["directory"],
        command=(),
        host="127.0.0.1",
        port=1,
        health_path="/",
        timeout=1.0,
        slow_ms=1.0,
        editable_globs=tuple(args["editable_globs"]),
        data_globs=tuple(args["data_globs"]),
        environment={},
    )


def _pack(files: dict[str, bytes], out: str) -> None:
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
    Path(out).write_text(json.dumps(encoded))


def _unpacked(names: list[str]) -> dict[str, bytes | None]:
    """Return the files of a bundle that was sent in pieces, and remove the pieces."""
    text = "".join(Path(name).read_text() for name in names)
    for name in names:
        Path(name).unlink()
    return {
        name: None if data is None else base64.b64decode(data)
        for name, data in json.loads(text).items()
    }


def _put(folder: Path, name: str, data: bytes) -> None:
    if not safe_relative(name):
        raise ValueError(f"{name!r} leads out of its folder")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755 if data.startswith(b"#!") else 0o644)


def _marks(top: Path) -> dict[str, list[int]]:
    return {
        path.relative_to(top).as_posix(): [path.lstat().st_size, path.lstat().st_mtime_ns]
        for path in top.rglob("*")
        if path.is_symlink() or path.is_file()
    }


COMMANDS: dict[str, Callable[[Args], Args]] = {
    "tree": tree,
    "write": write,
    "exists": exists,
    "unpack": unpack,
    "export": export,
    "remove": remove,
}


def main(command: str, text: str) -> Args:
    """Run one command and return its result, or its error in words."""
    try:
        return COMMANDS[command](json.loads(text))
    except (TargetError, data_copy.CopyError) as error:
        return {"error": str(error), "permanent": error.permanent}
    except (OSError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}", "permanent": False}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], os.environ["AGENTOPS_ARGS"])) + "\n")
