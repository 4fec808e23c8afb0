"""The commands of `./agentops`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType

from launcher import tools
from launcher.console import LauncherError, note, say
from launcher.up import up

Command = Callable[[Sequence[str]], int]

COMMANDS: dict[str, tuple[Command, str, str]] = {
    "up": (
        up,
        "[--port 8000] [--host 127.0.0.1] [--demo|--no-demo]",
        "install, start and watch over everything",
    ),
    "test": (tools.test, "[pytest arguments]", "run the tests"),
    "check": (tools.check, "", "run everything that CI runs"),
    "bench": (tools.bench, "NAME|all", "run a benchmark; without a name, list them"),
    "manage": (tools.manage, "COMMAND ...", "run one of Django's management commands"),
    "screens": (tools.screens, "", "take the screenshots"),
}


def usage() -> str:
    """Return the overview that `--help` prints."""
    rows = [
        f"  {f'{name} {arguments}':<62} {text}" for name, (_, arguments, text) in COMMANDS.items()
    ]
    return "\n".join(
        [
            "Usage: ./agentops COMMAND [arguments]",
            "",
            *rows,
            "",
            "More on one command: ./agentops up --help. Settings: .env.example. Data and logs: ./var (AGENTOPS_DATA).",
        ]
    )


def interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status: 0 success, 1 failure, 2 a wrong command line, 130 interrupted."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if name in ("-h", "--help", "help"):
        say(usage())
        return 0
    if name not in COMMANDS:
        note(f"There is no command {name!r}.\n\n{usage()}")
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, interrupt)  # a killed launcher would leave an installer running
    try:
        return COMMANDS[name][0](rest)
    except LauncherError as error:
        note(str(error))
        return 1
    except OSError as error:
        note(f"The system refused something: {error}")
        return 1
    except KeyboardInterrupt:
        note("Interrupted.")
        return 130
