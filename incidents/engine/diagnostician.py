"""The diagnostician that needs no model: a table of rules over the evidence, the first that finds a cause wins."""

from __future__ import annotations

from incidents.engine.causes import Cause
from incidents.engine.facts import Facts
from incidents.engine.plain import analogy, plain_words
from incidents.engine.rules import RULES
from incidents.values import Category, DiagnosisDraft, EvidencePack

UNKNOWN = Cause(
    category=Category.UNKNOWN,
    text="The cause is not known: nothing in the evidence explains the failure.",
    certainty=0.1,
    cites=("answer", "process", "log"),
)


class BuiltInDiagnostician:
    """Finds causes by rules, says how sure it is, and says "unknown" rather than guess."""

    name = "built-in"

    def diagnose(self, pack: EvidencePack) -> DiagnosisDraft:
        """Return the cause that the evidence shows, with what was ruled out before it; never raises."""
        facts = Facts(pack)
        ruled_out: list[str] = []
        cause = UNKNOWN
        for rule in RULES:
            found = rule.find(facts)
            if found is not None:
                cause = found
                break
            if rule.ruled_out and rule.can_tell(facts):
                ruled_out.append(rule.ruled_out)
        return _draft(facts, cause, tuple(ruled_out))


def _draft(facts: Facts, cause: Cause, ruled_out: tuple[str, ...]) -> DiagnosisDraft:
    if cause is UNKNOWN and facts.nothing_changed:
        ruled_out += ("no file and no environment variable changed since last known good",)
    return DiagnosisDraft(
        category=cause.category,
        root_cause=cause.text,
        file=cause.file,
        line=cause.line,
        plain=plain_words(facts, cause),
        analogy=analogy(facts, cause),
        certainty=cause.certainty,
        cited=facts.cite(*cause.cites) or tuple(item.id for item in facts.pack.items[:1]),
        ruled_out=ruled_out,
    )
