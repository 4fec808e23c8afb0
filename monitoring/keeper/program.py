"""From a service's row to what its keeper runs. Imported by AgentOps, not by the keeper."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from monitoring.keeper.child import Spec
from monitoring.ports import TargetError
from monitoring.values import ServiceSpec

_PYTHON = {"python", "python3"}


def program(spec: ServiceSpec) -> Spec:
    """Return command, directory and environment, with the port and the interpreter put in.

    Raises TargetError (permanent) for a missing directory, no command, or one that cannot be executed.
    """
    if not Path(spec.directory).is_dir():
        message = f"{spec.slug}: there is no directory {spec.directory!r}."
        raise TargetError(message, permanent=True)
    if not spec.command:
        raise TargetError(f"{spec.slug}: it has no start command.", permanent=True)
    words = [word.replace("{port}", str(spec.port)) for word in spec.command]
    words[0] = sys.executable if words[0] in _PYTHON else _found(spec, words[0])
    # Unbuffered, because lines that wait in a buffer are missing exactly when a crash is looked into.
    environment = {"PYTHONUNBUFFERED": "1", "PORT": str(spec.port), **spec.environment}
    return Spec(command=words, directory=spec.directory, environment=environment)


def _found(spec: ServiceSpec, word: str) -> str:
    path = str(Path(spec.directory, word)) if "/" in word else shutil.which(word)
    if path is None or not os.access(path, os.X_OK):
        message = f"{spec.slug}: command {word!r} was not found or cannot be executed."
        raise TargetError(message, permanent=True)
    return path
