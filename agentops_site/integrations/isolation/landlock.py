"""Landlock through ctypes: which files and TCP ports a process may reach. Standard library only.

Source: linux/landlock.h and Documentation/userspace-api/landlock.rst of the kernel.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_VERSION_FLAG = 1
_RULE_PATH, _RULE_PORT = 1, 2
_EXECUTE, _WRITE, _READ, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_READ_RIGHTS = _EXECUTE | _READ | _READ_DIR
_BIND, _CONNECT = 1, 2
_SCOPE_ABSTRACT_AND_SIGNAL = 3

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the kernel's Landlock version, 0 when there is none."""
    version = int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG)))
    return max(version, 0)


def restrict(*, readable: Iterable[str], writable: Iterable[str], port: int, level: int) -> None:
    """Confine this process and its children for ever, with the rules that ABI `level` knows.

    Paths that do not exist are left out. TCP may bind and reach `port` only (from ABI 4), signals and abstract
    sockets stay inside (from ABI 6). Needs no_new_privs. Raises OSError.
    """
    rights = _rights(level)
    attributes = struct.pack(
        "QQQ",
        rights,
        _BIND | _CONNECT if level >= 4 else 0,
        _SCOPE_ABSTRACT_AND_SIGNAL if level >= 6 else 0,
    )
    size = 24 if level >= 6 else 16 if level >= 4 else 8
    ruleset = _call(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path in readable:
            _allow(ruleset, path, _READ_RIGHTS & rights)
        for path in writable:
            _allow(ruleset, path, rights)
        if level >= 4:
            rule = struct.pack("QQ", _BIND | _CONNECT, port)
            _call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PORT), rule, ctypes.c_uint32(0))
        _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _rights(level: int) -> int:
    known = {1: 13, 2: 14, 3: 15, 4: 15}.get(level, 16)  # how many file rights each version handles
    return (1 << known) - 1


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there, or not for this user: then nothing is to be allowed either
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, handle)
        _call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(handle)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
