"""The rules of the built-in diagnostician, in the order in which they are asked: the first that finds wins.

What the system shows (a stopped process, a file that does not parse, a full disk) comes before what the code says,
because code only reports such trouble; suspicions come last.
"""

from __future__ import annotations

from incidents.engine.causes import Rule
from incidents.engine.facts import Facts
from incidents.engine.rules import answers, config, exceptions, hangs, process, resources, usage


def _knows_process(facts: Facts) -> bool:
    return facts.pack.process.phase != "absent" or bool(facts.pack.process.pid)


def _knows_last_good(facts: Facts) -> bool:
    return facts.pack.last_good is not None


def _knows_stacks(facts: Facts) -> bool:
    return bool(facts.pack.stacks.strip())


RULES: tuple[Rule, ...] = (
    Rule(
        name="stopped",
        find=process.stopped,
        ruled_out="the process was not stopped by a signal",
        can_tell=lambda facts: bool(facts.pack.process.state),
    ),
    Rule(
        name="unreadable",
        find=process.unreadable,
        ruled_out="the service's files could be read",
    ),
    Rule(name="leak or flood", find=usage.leak_or_flood),
    Rule(
        name="broken config",
        find=config.broken_file,
        ruled_out="no JSON, TOML or INI file of the service broke",
    ),
    Rule(name="full disk", find=resources.full_disk, ruled_out="nothing reports a full disk"),
    Rule(
        name="open files",
        find=resources.open_files,
        ruled_out="nothing reports too many open files",
    ),
    Rule(name="memory", find=resources.memory, ruled_out="nothing reports memory that ran out"),
    Rule(name="taken port", find=resources.taken_port, ruled_out="nothing reports a taken port"),
    Rule(
        name="environment",
        find=config.environment,
        ruled_out="no changed environment variable explains it",
        can_tell=lambda facts: facts.pack.last_good_environment is not None,
    ),
    Rule(name="lost config", find=config.lost_file),
    Rule(
        name="config value",
        find=config.changed_value,
        ruled_out="no changed config value explains it",
        can_tell=_knows_last_good,
    ),
    Rule(
        name="dependency",
        find=resources.dependency,
        ruled_out="no exception of a dependency that does not answer was seen",
    ),
    Rule(name="exception at start", find=exceptions.at_start),
    Rule(
        name="exception in the background",
        find=exceptions.in_the_background,
        ruled_out="no thread or task in the background is reported to have ended on a changed line",
        can_tell=lambda facts: bool(facts.pack.log_tail.strip()),
    ),
    Rule(
        name="exception",
        find=exceptions.in_a_request,
        ruled_out="no uncaught exception was seen in the answer or the log",
    ),
    Rule(
        name="stacks",
        find=hangs.from_stacks,
        ruled_out="no thread is stuck in the service's own code",
        can_tell=_knows_stacks,
    ),
    Rule(
        name="killed",
        find=process.killed,
        ruled_out="the process was not ended by a signal",
        can_tell=_knows_process,
    ),
    Rule(
        name="ended",
        find=process.ended,
        ruled_out="the process did not end",
        can_tell=_knows_process,
    ),
    Rule(name="absent", find=process.absent),
    Rule(name="not listening", find=process.not_listening),
    Rule(name="rejected config", find=answers.bad_config),
    Rule(name="wrong answer", find=answers.wrong_answer),
    Rule(name="subsystem", find=answers.subsystem),
    Rule(name="slow", find=hangs.slow_suspects),
    Rule(name="error status", find=answers.error_status),
)
