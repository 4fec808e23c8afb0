"""One sandbox at Blaxel, reached by the SDK: commands, files, processes. Every call is limited in time and recorded.

A machine is made anew for each task. Its paths are relative to our folder (`HOME`) in the sandbox.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from agentops_site.integrations import blaxel_http, usage
from agentops_site.integrations.breaker import VendorError
from incidents.engine.redaction import redact

VENDOR = "blaxel"
HOME = "/agentops"
PIECE_CHARACTERS = 4_000_000  # the SDK cuts larger texts itself, with other errors
PARTS = (
    "agentops_site/__init__.py",
    "agentops_site/integrations/__init__.py",
    "agentops_site/integrations/blaxel_inside.py",
    "agentops_site/integrations/local_tree.py",
    "agentops_site/integrations/local_writes.py",
    "agentops_site/integrations/isolation/__init__.py",
    "agentops_site/integrations/isolation/data_copy.py",
    "monitoring/__init__.py",
    "monitoring/check_commands.py",
    "monitoring/globs.py",
    "monitoring/ports.py",
    "monitoring/values.py",
)


class Missing(VendorError):
    """What was asked for is not there; that is an answer, and no failure of Blaxel."""


class Refused(VendorError):
    """Our code in the sandbox could not do it; the text is its own."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended."""

    exit_code: int
    output: str
    errors: str


@contextlib.contextmanager
def asking(operation: str, seconds: float) -> Iterator[None]:
    """Give the SDK's calls inside this long, record them, and turn what it raises into a `VendorError`."""
    from agentops_site.integrations.bounded_http import limited

    try:
        with (
            usage.call(VENDOR, operation),
            _in_our_words(operation),
            limited(seconds),
        ):
            yield
    finally:
        if (
            threading.current_thread() is not threading.main_thread()
            and not connection.in_atomic_block
        ):
            connection.close()  # trials run in passing threads, which would leave theirs open


@contextlib.contextmanager
def _in_our_words(operation: str) -> Iterator[None]:
    from agentops_site.integrations import blaxel_client

    try:
        yield
    except VendorError:
        raise
    except blaxel_client.errors() as error:
        raise _vendor_error(operation, error) from error


def _vendor_error(operation: str, error: Exception) -> VendorError:
    status = _status(error)
    if status is None:
        kind = type(error).__name__
        late = "Timeout" in kind
        words = (
            "no complete answer in time"
            if late
            else f"the connection or the answer is broken ({kind})"
        )
        return VendorError(f"Blaxel, {operation}: {words}")
    words = redact(" ".join(str(error).split()))[:200].replace(settings.BL_API_KEY or "\0", "[key]")
    message = f"Blaxel answered {status} to {operation}: {words}"
    if status == 404:
        return Missing(message, counts=False)
    if status in {400, 409, 413, 422}:
        return VendorError(message, permanent=status in {400, 413}, counts=False)
    return VendorError(message, permanent=status in {401, 402, 403})


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    for found in (
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        getattr(error, "status", None),
    ):
        if isinstance(found, int) and found >= 400:
            return int(found)
    return None


def find(name: str) -> Machine:
    """Return the sandbox of this name; raise Missing when there is none (or it is being deleted)."""
    from agentops_site.integrations import blaxel_client

    if not (settings.BL_API_KEY and settings.BL_WORKSPACE):
        raise VendorError(blaxel_http.NOT_SET_UP, permanent=True, counts=False)
    known = blaxel_client.sandboxes()  # before the clock starts: the first time it imports the SDK
    with asking("find the sandbox", settings.BLAXEL_SECONDS):
        instance = known.get(name)
        if str(instance.status) in {"TERMINATED", "DELETING"}:
            raise Missing(f"Blaxel: the sandbox {name} was deleted", counts=False)
        return Machine(name, instance)


def find_or_make(name: str, wish: Mapping[str, Any]) -> Machine:
    """Return the sandbox of this name, made as wished when there is none."""
    with contextlib.suppress(Missing):
        return find(name)
    from agentops_site.integrations import blaxel_client

    known = blaxel_client.sandboxes()
    with asking("make a sandbox", settings.BLAXEL_CREATE_SECONDS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an existing one may differ: it is used as it is
        instance = known.create_if_not_exists({"name": name, **wish})
        return Machine(name, instance)


class Machine:
    """A sandbox that is there."""

    def __init__(self, name: str, instance: Any) -> None:
        from agentops_site.integrations import blaxel_client

        self.name = name
        self._box = instance
        for part in (instance.process, instance.fs):
            blaxel_client.bound(part)
        blaxel_http.remember(name, str(instance.process.url))

    def start(self, name: str, command: str, **wish: Any) -> None:
        """Start a process and leave it running."""
        with asking("start a process", settings.BLAXEL_SECONDS):
            self._box.process.exec({"name": name, "command": command, **wish})

    def run(
        self, command: str, *, env: Mapping[str, str] | None = None, seconds: int | None = None
    ) -> Ran:
        """Run a command in our folder to its end. One that takes too long is killed: the API would leave it running."""
        name = f"agentops-{secrets.token_hex(6)}"
        seconds = settings.BLAXEL_COMMAND_SECONDS if seconds is None else seconds
        wish = {"name": name, "command": command, "working_dir": HOME, "env": dict(env or {})}
        try:
            with asking("run a command", seconds + settings.BLAXEL_SECONDS):
                done = self._box.process.exec(
                    {**wish, "wait_for_completion": True, "timeout": seconds}
                )
                return Ran(
                    exit_code=int(done.exit_code),
                    output=done.stdout or "",
                    errors=done.stderr or "",
                )
        except VendorError:
            with contextlib.suppress(VendorError):
                self.kill(name)
            raise

    def inside(
        self, command: str, args: Mapping[str, Any], *, seconds: int | None = None
    ) -> dict[str, Any]:
        """Run one command of `blaxel_inside` and return its result; raise Refused with its words."""
        digest, files = _parts()
        env = {"AGENTOPS_ARGS": json.dumps(args), "PYTHONPATH": digest}
        line = f"test -d {digest} || exit 99; exec python3 -m agentops_site.integrations.blaxel_inside {command}"
        try:
            ran = self.run(line, env=env, seconds=seconds)
        except VendorError as error:
            if isinstance(error, Missing) or error.counts or "timed out" in str(error):
                raise
            ran = Ran(
                exit_code=99, output="", errors=""
            )  # the folder is not there: refused as it cannot be entered
        if ran.exit_code == 99:
            with asking("send our helper", settings.BLAXEL_SECONDS):
                self._box.fs.write_tree(files, f"{HOME}/{digest}")
            ran = self.run(line, env=env, seconds=seconds)
        return _result(ran)

    def send(self, files: Mapping[str, bytes | None]) -> list[str]:
        """Put files into a bundle for `inside` and return the names of its pieces."""
        encoded = {
            name: None if data is None else base64.b64encode(data).decode()
            for name, data in files.items()
        }
        text, token = json.dumps(encoded), secrets.token_hex(8)
        names: list[str] = []
        for start in range(0, len(text), PIECE_CHARACTERS):
            names.append(f"passing/{token}.{len(names)}")
            with asking("send files", settings.BLAXEL_SECONDS * 3):
                self._box.fs.write(f"{HOME}/{names[-1]}", text[start : start + PIECE_CHARACTERS])
        return names

    def fetch(self, name: str) -> dict[str, bytes]:
        """Return the files that `inside` put into `name`, and remove it."""
        with asking("fetch files", settings.BLAXEL_SECONDS * 3):
            data = self._box.fs.read_binary(f"{HOME}/{name}")
            found = json.loads(data)
            files = {path: base64.b64decode(text) for path, text in found.items()}
        with contextlib.suppress(VendorError), asking("remove a file", settings.BLAXEL_SECONDS):
            self._box.fs.rm(f"{HOME}/{name}")
        return files

    def note(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a small JSON file."""
        with asking("write a note", settings.BLAXEL_SECONDS):
            self._box.fs.write(f"{HOME}/{name}", json.dumps(dict(value)))

    def log(self, process: str) -> bytes:
        """Return what a process wrote; empty when it is not known."""
        with contextlib.suppress(Missing), asking("read the log", settings.BLAXEL_SECONDS):
            return str(self._box.process.logs(process)).encode()
        return b""

    def status(self, process: str) -> str:
        """Return the API's word for a process, "missing" when it is not known."""
        with contextlib.suppress(Missing), asking("look at a process", settings.BLAXEL_SECONDS):
            return str(getattr(self._box.process.get(process).status, "value", "") or "running")
        return "missing"

    def stop(self, process: str) -> None:
        """Ask a process and its children to end; one that has ended already is fine."""
        with contextlib.suppress(Missing), asking("stop a process", settings.BLAXEL_SECONDS):
            self._box.process.stop(process)

    def kill(self, process: str) -> None:
        """End a process and its children at once; one that has ended already is fine."""
        with contextlib.suppress(Missing), asking("kill a process", settings.BLAXEL_SECONDS):
            self._box.process.kill(process)


def _result(ran: Ran) -> dict[str, Any]:
    try:
        result = json.loads(ran.output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        result = None
    if not isinstance(result, dict):
        words = redact((ran.errors or ran.output)[-300:])
        raise VendorError(
            f"our helper in the sandbox failed with code {ran.exit_code}: {words}", counts=False
        )
    if "error" in result:
        raise Refused(str(result["error"]), permanent=bool(result.get("permanent")), counts=False)
    return result


@cache
def _parts() -> tuple[str, list[dict[str, str]]]:
    """Return the folder name of our helper, by its content, and its files."""
    files = [{"path": part, "content": Path(settings.BASE_DIR, part).read_text()} for part in PARTS]
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return f"helper-{digest[:12]}", files
