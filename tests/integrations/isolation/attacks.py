"""What a hostile service would try. Runs inside a box as `attacks.py NAME ARGUMENT`, prints what it got.

Exit code 0 and a line of output mean that the attempt succeeded; any refusal is an exception and so exit code 1.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time


def read_file(path: str) -> str:
    with open(path) as file:  # noqa: PTH123 - start-up time counts here
        return file.read()


def list_folder(path: str) -> str:
    names = os.listdir(path)  # noqa: PTH208 - start-up time counts here
    if not set(names) & {"pyproject.toml", "manage.py", "agentops_site"}:
        raise FileNotFoundError(path)
    return ",".join(names)


def write_file(path: str) -> str:
    with open(path, "w") as file:  # noqa: PTH123 - start-up time counts here
        file.write("was here")
    return "written"


def connect_tcp(port: str) -> str:
    with socket.create_connection(("127.0.0.1", int(port)), 1) as connection:
        return connection.recv(10).decode()


def bind_other_port(port: str) -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def send_udp(port: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", int(port)))
        sender.send(b"leak")
        sender.settimeout(1)
        return sender.recv(10).decode()


def connect_unix(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return connection.recv(10).decode()


def connect_abstract(name: str) -> str:
    return connect_unix("\0" + name)


def kill(pid: str) -> str:
    os.kill(int(pid), signal.SIGTERM)
    return "signalled"


def kill_thread(pid: str) -> str:
    """Signal by the other call, tgkill (234 on x86_64)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(234, int(pid), int(pid), signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "tgkill")
    return "signalled"


def read_environ(pid: str) -> str:
    text = read_file(f"/proc/{pid}/environ")
    if "SIBLING_KEY" not in text:
        raise LookupError("another process of that number")
    return text


def new_namespace(_: str) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newuser = 0x10000000
    if libc.unshare(clone_newuser) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    return "a user namespace, and with it root in there"


def own_environ(_: str) -> str:
    return repr(dict(os.environ))


def fork_many(count: str) -> str:
    made = 0
    for _ in range(int(count)):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        except OSError:
            break
        made += 1
    return str(made)


def use_memory(size: str) -> str:
    return str(len(bytearray(int(size))))


def use_disk(size: str) -> str:
    with open("big", "wb") as file:  # noqa: PTH123 - start-up time counts here
        file.truncate(int(size))
    return "written"


def abort(_: str) -> str:
    os.abort()


def serve_threads(_: str) -> str:
    """Not an attack: what an ordinary service needs must keep working."""

    left, right = socket.socketpair()
    worker = threading.Thread(target=left.sendall, args=(b"x",))
    worker.start()
    worker.join()
    with tempfile.TemporaryFile() as file:
        file.write(right.recv(1))
    done = subprocess.run([sys.executable, "-c", "print('child')"], capture_output=True, check=True)
    return done.stdout.decode().strip()


def linger(seconds: str) -> str:
    """Leave a grandchild in a session of its own, then wait too."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(float(seconds))
        time.sleep(float(seconds))
    time.sleep(float(seconds))
    return "done"


if __name__ == "__main__":
    print(globals()[sys.argv[1]](sys.argv[2]))  # noqa: T201 - the answer to the test
