"""The file system of a stand-in sandbox: real files below its folder, in the shapes of the vendor's `sandbox-api`."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.standins.server import Received, Send, as_json, respond

_FILE_KEYS = {"content", "isDirectory", "permissions"}


@dataclass
class Files:
    """Answers `/filesystem/...`."""

    root: Path

    def answer(self, request: Received, path: str, query: str) -> Send:
        if path.startswith("/filesystem/tree/"):
            return self._tree(request, path.removeprefix("/filesystem/tree/"))
        target = self._real(path.removeprefix("/filesystem/"))
        match request.method:
            case "PUT":
                return self._put(request, target)
            case "DELETE":
                return self._delete(target, query)
            case "GET":
                return self._get(request, target)
        return as_json({"error": "method"}, status=405)

    def _real(self, path: str) -> Path:
        """Return the real path of one in the sandbox; a relative one is below its working folder."""
        if path.lstrip("/").startswith("proc/"):
            return Path("/", path.lstrip("/"))  # its processes are real ones of this machine
        real = (self.root / path.lstrip("/")).resolve()
        assert real.is_relative_to(self.root.resolve()), "the test would leave its sandbox"
        return real

    def _put(self, request: Received, target: Path) -> Send:
        body = _object(request)
        if body is None or set(body) - _FILE_KEYS:
            return as_json({"error": "invalid request body"}, status=400)
        if body.get("isDirectory"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            if len(body.get("content", "").encode()) > 5 * 1024 * 1024:
                return as_json({"error": "too large for one request"}, status=413)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body.get("content", ""), newline="")
        return as_json({"path": str(target), "message": "File created/updated successfully"})

    def _tree(self, request: Received, path: str) -> Send:
        body = _object(request)
        if request.method != "PUT" or body is None or not isinstance(body.get("files"), dict):
            return as_json({"error": "invalid request body"}, status=400)
        top = self._real(path)
        for name, content in body["files"].items():
            file = self._real(f"{path}/{name}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, newline="")
        return as_json(_listing(top))

    def _delete(self, target: Path, query: str) -> Send:
        if not target.exists():
            return as_json({"error": "file or directory not found"}, status=404)
        if target.is_dir() and "recursive=true" not in query:
            return as_json({"error": "directory not empty"}, status=422)
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        return as_json({"path": str(target), "message": "deleted"})

    def _get(self, request: Received, target: Path) -> Send:
        if not target.exists():
            return as_json({"error": f"stat {target.name}: no such file or directory"}, status=404)
        if target.is_dir():
            return as_json(_listing(target))
        data = target.read_bytes()
        if "application/octet-stream" in request.headers.get("accept", ""):
            return respond(data, kind="application/octet-stream")
        content = data.decode("utf-8", "replace")
        facts = {"path": str(target), "name": target.name, "size": len(data), "content": content}
        return as_json(
            {
                **facts,
                "permissions": "-rw-r--r--",
                "owner": "root",
                "group": "root",
                "lastModified": "",
            }
        )


def _listing(top: Path) -> dict[str, Any]:
    return {"path": str(top), "name": top.name, "files": [], "subdirectories": []}


def _object(request: Received) -> dict[str, Any] | None:
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
