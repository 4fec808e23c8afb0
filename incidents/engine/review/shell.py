"""Shell commands that destroy, expose or fetch and run; tokenised as a shell would, not searched as text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator

from incidents.engine.review.policies import DATA_LOSS, DESTRUCTIVE, REGRESSION

Objection = tuple[str, str, str]
"""Rule, policy, and what is wrong in words."""

_SEPARATORS = {";", "&&", "||", "|", "&", "|&", "(", ")", "{", "}", "\n"}
_PREFIXES = {
    "sudo",
    "env",
    "nohup",
    "exec",
    "time",
    "command",
    "nice",
    "xargs",
    "doas",
    "then",
    "do",
    "else",
    "!",
}
_SHELLS = {
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "ash",
    "fish",
    "python",
    "python3",
    "perl",
    "ruby",
    "node",
    "php",
}
_FETCHERS = {"curl", "wget", "fetch", "base64"}
_FORK_BOMB = re.compile(r"(\S+)\s*\(\)\s*\{\s*\1\s*\|\s*\1\s*&")
_FETCH_AND_RUN = re.compile(r"(?:<\(|\$\(|`)\s*(?:curl|wget)\b")
_DEVICE = re.compile(r">\s*/dev/(?:sd|nvme|vd|hd|mmcblk|disk)\w*")
_REVERSE_SHELL = re.compile(r"/dev/(?:tcp|udp)/")


def objections(text: str) -> Iterator[Objection]:
    """Yield what a piece of shell would do wrong; text that is no such command yields nothing."""
    if _FORK_BOMB.search(text):
        yield "fork-bomb", DESTRUCTIVE, "a function that starts itself twice, for ever"
    if _DEVICE.search(text):
        yield "device-overwrite", DESTRUCTIVE, "writes over a disk"
    if _REVERSE_SHELL.search(text):
        yield "reverse-shell", REGRESSION, "opens a connection from a shell"
    commands = _commands(text)
    yield from _pipes(commands, text)
    for command, _ in commands:
        for judge in _JUDGES.get(command[0], ()):
            if found := judge(command[1:]):
                yield found


def _commands(text: str) -> list[tuple[list[str], str]]:
    """Return the simple commands of a text, each with the separator that follows it."""
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=";&|(){}<>`")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:  # an open quote: still look at the words
        tokens = text.split()
    commands: list[tuple[list[str], str]] = []
    current: list[str] = []
    for token in [*tokens, ";"]:
        if token in _SEPARATORS or set(token) <= set(";&|(){}"):
            if bare := _without_prefix(current):
                commands.append((bare, token))
            current = []
        else:
            current.append(token)
    return commands


def _without_prefix(tokens: list[str]) -> list[str]:
    while tokens and (tokens[0] in _PREFIXES or re.fullmatch(r"\w+=.*|-\w+", tokens[0])):
        tokens = tokens[1:]
    return [tokens[0].rsplit("/", 1)[-1], *tokens[1:]] if tokens else []


def _pipes(commands: list[tuple[list[str], str]], text: str) -> Iterator[Objection]:
    for index, (command, _) in enumerate(commands[:-1]):
        following = commands[index + 1][0]
        if command[0] in _FETCHERS and commands[index][1] == "|" and following[0] in _SHELLS:
            yield "fetch-and-run", REGRESSION, f"runs what {command[0]} brings, unseen"
    if (
        _FETCH_AND_RUN.search(text)
        and commands
        and commands[0][0][0] in _SHELLS | {"eval", "source", "."}
    ):
        yield "fetch-and-run", REGRESSION, "runs what was fetched, unseen"


def _flags(arguments: list[str]) -> str:
    short = "".join(item[1:] for item in arguments if re.fullmatch(r"-\w+", item))
    return short + ("r" if "--recursive" in arguments else "")


def _rm(arguments: list[str]) -> Objection | None:
    broad = any(item in {"/", "*", "~", "."} or item.endswith("/*") for item in arguments)
    if "r" in _flags(arguments).lower() or broad:
        return "recursive-delete", DESTRUCTIVE, "deletes a folder and all below it"
    return None


def _chmod(arguments: list[str]) -> Objection | None:
    if found := _all_of_it(arguments):
        return found
    if any(re.fullmatch(r"0?777|[ao]\+.*w.*|o=.*w.*", item) for item in arguments):
        return "open-permissions", REGRESSION, "lets everybody write"
    return None


def _all_of_it(arguments: list[str]) -> Objection | None:
    everything = any(
        item in {"/", "/*", "~", "/etc", "/usr", "/var", "/home"} for item in arguments
    )
    if everything and "R" in _flags(arguments) + ("R" if "--recursive" in arguments else ""):
        return (
            "broad-rights",
            DESTRUCTIVE,
            "changes the rights of everything below a folder of the system",
        )
    return None


def _needs(
    pattern: str, policy: str, rule: str, words: str
) -> Callable[[list[str]], Objection | None]:
    compiled = re.compile(pattern)

    def judge(arguments: list[str]) -> Objection | None:
        return (rule, policy, words) if compiled.search(" ".join(arguments)) else None

    return judge


def _inner(arguments: list[str]) -> Objection | None:
    if "-c" in arguments[:-1]:
        inner = arguments[arguments.index("-c") + 1]
        return next(objections(inner), None)
    return None


_DISK = _needs(r"/dev/|\.img\b|^-", DESTRUCTIVE, "disk-command", "formats or wipes a disk")
_STOPS = _needs(r"^(?:now|-\w.*|\+\d.*)?$", DESTRUCTIVE, "stops-the-machine", "stops the machine")
_JUDGES: dict[str, tuple[Callable[[list[str]], Objection | None], ...]] = {
    "rm": (_rm,),
    "chmod": (_chmod,),
    "dd": (_needs(r"\bof=", DESTRUCTIVE, "disk-command", "writes raw blocks"),),
    "find": (_needs(r"(?:^|\s)-delete\b|-exec\s+rm\b", DESTRUCTIVE, "recursive-delete", "deletes what it finds"),),
    "truncate": (_needs(r"(?:-s|--size)[ =]?0\b", DATA_LOSS, "empties-file", "empties a file"),),
    "dropdb": (_needs(r"\w", DATA_LOSS, "drops-database", "drops a database"),),
    "redis-cli": (_needs(r"(?i)flush(?:all|db)", DATA_LOSS, "drops-database", "empties a Redis"),),
    "git": (_needs(r"^reset\s.*--hard|^clean\s+-\w*f|^push\s.*(?:--force|-f\b)", DATA_LOSS, "history-loss", "throws work away"),),
    "kill": (_needs(r"(?:^|\s)-?1$", DESTRUCTIVE, "kills-everything", "signals every process"),),
    "killall": (_needs(r"\w", DESTRUCTIVE, "kills-by-name", "kills processes by name"),),
    "pkill": (_needs(r"\w", DESTRUCTIVE, "kills-by-name", "kills processes by name"),),
    "iptables": (_needs(r"-F\b|--flush", REGRESSION, "firewall-off", "drops the firewall's rules"),),
    "ufw": (_needs(r"disable", REGRESSION, "firewall-off", "turns the firewall off"),),
    "setenforce": (_needs(r"^0", REGRESSION, "firewall-off", "turns SELinux off"),),
    "crontab": (_needs(r"^-r", DATA_LOSS, "removes-schedule", "removes every scheduled job"),),
    "nc": (_needs(r"(?:^|\s)-\w*e\b", REGRESSION, "reverse-shell", "gives a shell to a connection"),),
    "kubectl": (_needs(r"^delete\b", DESTRUCTIVE, "removes-deployment", "deletes from the cluster"),),
    "docker": (_needs(r"\bprune\b|^rm\s|volume rm", DESTRUCTIVE, "removes-deployment", "removes containers or volumes"),),
    "chown": (_all_of_it,),
    "aws": (_needs(r"\bs3\s+rm\b.*--recursive|\bs3\s+rb\b.*--force", DATA_LOSS, "empties-store", "empties a bucket"),),
    "gsutil": (_needs(r"\brm\s+-\w*r|\brb\b", DATA_LOSS, "empties-store", "empties a bucket"),),
    "shred": (_needs(r"\w", DESTRUCTIVE, "disk-command", "overwrites files for good"),),
    **dict.fromkeys(("wipefs", "fdisk", "parted", "mkfs", "mkswap", "sgdisk"), (_DISK,)),
    **{f"mkfs.{kind}": (_DISK,) for kind in ("ext4", "ext3", "ext2", "xfs", "btrfs", "vfat")},
    **dict.fromkeys(("shutdown", "reboot", "halt", "poweroff"), (_STOPS,)),
    **dict.fromkeys(_SHELLS, (_inner,)),
}  # fmt: skip
