"""Three small services of different shape, and how to run, ask and watch one of them as AgentOps would."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incidents.values import EvidenceItem, EvidencePack, Failure
from monitoring.values import ProcessState

FOLDER = Path(__file__).with_name("patient_files")
MAIN = {"threaded": "server.py", "asyncio_one": "app.py", "package": "run.py"}
HEALTH = {"threaded": "/health", "asyncio_one": "/health", "package": "/health"}
ENVIRONMENT = {"DESK_SECRET": "s3cret", "DESK_WORKERS": "2"}
ANSWER_LIMIT = 1.0
PY_SPY = str(Path(sys.executable).with_name("py-spy"))


def tree_of(patient: str) -> dict[str, bytes]:
    """Return a patient's files."""
    root = FOLDER / patient
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(p.relative_to(root)).removesuffix(".txt"): p.read_bytes() for p in files}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """One started patient."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def listens(self) -> bool:
        """Wait until the port answers or the process ends."""
        limit = time.monotonic() + 8
        while time.monotonic() < limit and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=0.5).close()
            except OSError:
                time.sleep(0.01)
            else:
                return True
        return False

    def ask(self, path: str) -> tuple[int | None, str]:
        """Return status and body; None when nothing came in time."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}{path}", timeout=ANSWER_LIMIT
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None, ""

    def stacks(self) -> str:
        command = [
            PY_SPY,
            "dump",
            "--nonblocking",
            "--full-filenames",
            "--pid",
            str(self.process.pid),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
        return done.stdout

    def state(self) -> ProcessState:
        """Return what a keeper would know."""
        code = self.process.poll()
        if code is not None:
            by_signal = code < 0
            return ProcessState(
                phase="exited",
                signal=-code if by_signal else None,
                exit_code=None if by_signal else code,
            )
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        return ProcessState(
            phase="running", pid=self.process.pid, state=text.rpartition(")")[2].split()[0]
        )


@contextmanager
def running(
    patient: str, files: dict[str, bytes], environment: dict[str, str], folder: Path
) -> Iterator[Running]:
    """Write the files and start the patient there; it is ended whatever happens."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    log, port = folder / "service.log", free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-B", MAIN[patient], str(port)],
            cwd=folder, stdout=out, stderr=out,
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **environment},
        )  # fmt: skip
    try:
        yield Running(process, port, log)
    finally:
        process.kill()
        process.wait(10)


def failure_of(patient: Running, path: str) -> Failure | None:
    """Ask once and return what a probe would report, None when all is well."""
    started = time.monotonic()
    status, body = patient.ask(path)
    took = (time.monotonic() - started) * 1000
    if status is None and took < ANSWER_LIMIT * 900:
        with suppress(subprocess.TimeoutExpired):
            patient.process.wait(
                2
            )  # an end on the way is the story, not the connection that it broke
    state = patient.state()
    if state.phase == "exited":
        name = signal.Signals(state.signal).name if state.signal else f"exit {state.exit_code}"
        return Failure(symptom="no_process", error_type=name, path=path)
    if status is None:
        symptom = "timeout" if took >= ANSWER_LIMIT * 900 else "refused"
        return Failure(symptom=symptom, error_type=symptom, path=path, latency_ms=took)
    if status < 500:
        return Failure(symptom="slow", path=path, latency_ms=took) if took > 700 else None
    return Failure(symptom="http_error", path=path, status=status, **_error_in(body))


def _error_in(body: str) -> dict[str, Any]:
    try:
        error = json.loads(body)["error"]
    except ValueError:
        return {"traceback": body} if "Traceback" in body else {"detail": body}
    return {"error_type": error["type"], "detail": error["detail"], "traceback": error["traceback"]}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to break a patient, with the truth: category, file, and a text on the line to blame.

    `edits` maps a file to (old, new), to new bytes, or to None for "deleted"; `act` does something to the running
    process; `heals` says whether one of our candidates must make the failing request pass.
    """

    name: str
    patient: str
    path: str
    category: str
    file: str = ""
    line: str = ""
    edits: dict[str, tuple[str, str] | bytes | None] | None = None
    environment: dict[str, str | None] | None = None
    act: Callable[[Running], object] | None = None
    heals: bool = True

    def broken_tree(self) -> dict[str, bytes]:
        """Return the files with the fault in them."""
        tree = tree_of(self.patient)
        for path, edit in (self.edits or {}).items():
            if edit is None:
                del tree[path]
            elif isinstance(edit, bytes):
                tree[path] = edit
            else:
                old, new = (text.encode() for text in edit)
                assert tree[path].count(old) == 1, (self.name, path)
                tree[path] = tree[path].replace(old, new)
        return tree

    def broken_environment(self) -> dict[str, str]:
        """Return the environment with the fault in it."""
        merged = {**ENVIRONMENT, **(self.environment or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def true_line(self) -> int | None:
        """Return the number of the line to blame in the broken tree."""
        if not self.line:
            return None
        text = self.broken_tree().get(self.file, b"").decode("utf-8", "replace")
        found = [
            n for n, line in enumerate(text.split("\n"), 1) if re.search(re.escape(self.line), line)
        ]
        assert len(found) == 1, (self.name, found)
        return found[0]


def pack_of(fault: Fault, patient: Running, failure: Failure) -> EvidencePack:
    """Return the evidence as the collect step would gather it."""
    state = patient.state()
    wants_stack = failure.symptom in {"timeout", "slow"} and state.state != "T"
    kinds = ("answer", "traceback", "process", "log", "stack", "changes", "environment")
    return EvidencePack(
        service="Shop",
        directory=str(patient.log.parent),
        is_python=True,
        failure=failure,
        items=tuple(
            EvidenceItem(id=f"E{n}", kind=kind, title=kind, body="")
            for n, kind in enumerate(kinds, 1)
        ),
        process=state,
        log_tail=patient.log.read_text(),
        stacks=patient.stacks() if wants_stack else "",
        current=fault.broken_tree(),
        last_good=tree_of(fault.patient),
        environment=fault.broken_environment(),
        last_good_environment=ENVIRONMENT,
        editable_globs=("**",),
    )
