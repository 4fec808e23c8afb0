"""A seccomp filter through prctl: system calls that a trial never needs are refused. x86_64 only.

Source: linux/seccomp.h, linux/filter.h and arch/x86/entry/syscalls/syscall_64.tbl of the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

SUPPORTED = sys.platform == "linux" and platform.machine() == "x86_64"

_ARCH_X86_64 = 0xC000003E
_X32_BIT = 0x40000000
_ERROR, _ALLOW = 0x00050000, 0x7FFF0000
_REFUSE = _ERROR | errno.EPERM
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_FIRST, _OFFSET_SECOND = 0, 4, 16, 24
_SOCKET, _CONNECT, _TGKILL = 41, 42, 234
_STREAM, _TYPE_MASK = 1, 0xF
_AF_INET, _AF_INET6 = 2, 10

# Other processes' memory, kernel keys, namespaces, mounts, modules, clocks: none is a web service's business, and
# each has been a way out of a sandbox. io_uring would get round the rules for sockets.
_NEVER = (
    101, 310, 311, 312, 438, 440,  # ptrace, process_vm_readv, process_vm_writev, kcmp, pidfd_getfd, process_madvise
    165, 166, 155, 161, 428, 429, 430, 431, 432, 433, 442,  # mount, umount2, pivot_root, chroot, the new mount calls
    272, 308, 248, 249, 250, 321, 298, 323,  # unshare, setns, add_key, request_key, keyctl, bpf, perf_event, userfaultfd
    175, 176, 313, 246, 320, 167, 168, 169, 163,  # modules, kexec, swap, reboot, acct
    164, 227, 159, 305, 103, 172, 173, 304,  # clocks, syslog, iopl, ioperm, open_by_handle_at
    425, 426, 427,  # io_uring
)  # fmt: skip
_CLONE, _CLONE3, _CLONE_NEW_NAMESPACES = 56, 435, 0x7E020000
# kill, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal
_SIGNALS = (62, 200, 129, 297, 424)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def restrict(*, streams_only: bool, no_signals: bool, no_connect: bool) -> None:
    """Install the filter for this process and its children for ever; needs no_new_privs. Raises OSError.

    `streams_only` refuses every socket but TCP (no UDP, no unix sockets); `no_signals` stands in for Landlock's
    signal scope before ABI 6, `no_connect` for its TCP rules before ABI 4.
    """
    rules = [_for(number, _return(_REFUSE)) for number in _NEVER]
    # A filter cannot see clone3's flags; libc falls back to clone(), but only on ENOSYS.
    rules.append(_for(_CLONE3, _return(_ERROR | errno.ENOSYS)))
    rules.append(_for(_CLONE, _flags_refused(_CLONE_NEW_NAMESPACES)))
    if streams_only:
        rules.append(_for(_SOCKET, _tcp_only()))
    if no_connect:
        rules.append(_for(_CONNECT, _return(_REFUSE)))
    if no_signals:
        rules += [_for(number, _return(_REFUSE)) for number in _SIGNALS]
        rules.append(_for(_TGKILL, _own_process_only()))
    code = _head() + b"".join(rules) + _return(_ALLOW)
    _install(code)


def _install(code: bytes) -> None:
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    set_seccomp, mode_filter = 22, 2
    if libc.prctl(set_seccomp, ctypes.c_ulong(mode_filter), ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _step(code: int, value: int, when: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when, otherwise, value)


def _return(value: int) -> bytes:
    return _step(_RETURN, value)


def _head() -> bytes:
    return (
        _step(_LOAD, _OFFSET_ARCH)
        + _step(_JUMP_EQUAL, _ARCH_X86_64, 1, 0)
        + _return(_REFUSE)
        + _step(_LOAD, _OFFSET_NUMBER)
        + _step(_JUMP_AT_LEAST, _X32_BIT, 0, 1)
        + _return(_REFUSE)
    )


def _for(number: int, body: bytes) -> bytes:
    """Return code that runs `body` (which must end in a return) for one call and else skips it."""
    return _step(_JUMP_EQUAL, number, 0, len(body) // 8) + body


def _flags_refused(mask: int) -> bytes:
    return (
        _step(_LOAD, _OFFSET_FIRST)
        + _step(_AND, mask)
        + _step(_JUMP_EQUAL, 0, 0, 1)
        + _return(_ALLOW)
        + _return(_REFUSE)
    )


def _tcp_only() -> bytes:
    return (
        _step(_LOAD, _OFFSET_FIRST)
        + _step(_JUMP_EQUAL, _AF_INET, 1, 0)
        + _step(_JUMP_EQUAL, _AF_INET6, 0, 3)
        + _step(_LOAD, _OFFSET_SECOND)
        + _step(_AND, _TYPE_MASK)
        + _step(_JUMP_EQUAL, _STREAM, 1, 0)
        + _return(_REFUSE)
        + _return(_ALLOW)
    )


def _own_process_only() -> bytes:
    # raise() and abort() of the service itself still work; its children's do not (before ABI 6 only).
    return (
        _step(_LOAD, _OFFSET_FIRST)
        + _step(_JUMP_EQUAL, os.getpid(), 0, 1)
        + _return(_ALLOW)
        + _return(_REFUSE)
    )
