"""Puts the standing of things into words: a vendor's when there are usable ones in time, else the built-in ones."""

from __future__ import annotations

import logging
import re

from django.conf import settings
from django.utils.module_loading import import_string

from agentops_site.summary_port import Summariser, SummaryError
from incidents.alerts.voice import Standing

log = logging.getLogger(__name__)

LONGEST, SHORTEST = 700, 20
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ADDRESS = re.compile(r"(?i)https?:|www\.|://|\S@\S")


def in_words(standing: Standing) -> tuple[str, str]:
    """Return the summary and where its words come from; a vendor that fails is named, and the built-in ones are used."""
    if not settings.SUMMARISER:
        return standing.script, ""
    vendor: Summariser = import_string(settings.SUMMARISER)()
    try:
        words = checked(vendor.summarise(standing.facts), standing.facts)
    except SummaryError as error:
        log.warning("The built-in summary is used: %s", error)
        return standing.script, f"{error}: these are the built-in words."
    return standing.in_words(words), f"In the words of {vendor.name}."


def checked(words: str, facts: str) -> str:
    """Return a vendor's words when they may be read to people; raise `SummaryError` when not.

    The text of an incident may talk a model into anything. So what is measured is said in our own words before, and
    a summary with a number that the facts do not have, an address, or a length that nobody listens to, is refused.
    """
    flat = " ".join(words.split())
    strange = set(_NUMBER.findall(flat)) - set(_NUMBER.findall(facts))
    if not SHORTEST <= len(flat) <= LONGEST:
        raise SummaryError(f"a summary of {len(flat)} characters")
    if _ADDRESS.search(flat):
        raise SummaryError("a summary with an address in it")
    if strange:
        raise SummaryError(f"a summary with a number that nobody measured ({min(strange)[:20]})")
    return flat
