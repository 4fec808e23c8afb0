"""Has alerts and summaries spoken: a row first, then audio if a vendor gives it, then the push. Never in a step's way.

Whoever is killed in between leaves a row that the next beat finishes. Audio is kept once, under its own digest.
"""

from __future__ import annotations

import hashlib
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils.module_loading import import_string

from agentops_site import summaries
from agentops_site.models import Speech
from agentops_site.voice_port import Voice, VoiceError
from incidents import queue
from incidents.alerts.voice import SPOKEN, script_of, standing, status_script
from incidents.models import Incident
from incidents.states import WAITING
from monitoring.realtime import publish
from teams.models import User

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)
MOST_AT_ONCE = 5
FORGOTTEN = timedelta(minutes=30)
KEPT = timedelta(days=30)
SPEAK = "agentops_site.tasks.speak"


def speak_due(*, now: datetime) -> int:
    """Write a row for each alert that has none, and have spoken what is not ready yet; return how many became ready."""
    for incident in _unspoken(now):
        _alert(incident)
    due = Speech.objects.filter(ready_at=None, created_at__gt=now - FORGOTTEN)
    free = due.filter(Q(claimed_until=None) | Q(claimed_until__lt=now))
    return sum(speak(pk, now=now) for pk in free.values_list("pk", flat=True)[:MOST_AT_ONCE])


def _unspoken(now: datetime) -> list[Incident]:
    """Return the incidents that wait for a person, are bad enough, and of which nothing was said in this attempt."""
    waiting = Incident.objects.filter(
        status__in=WAITING, severity__in=SPOKEN, detected_at__gt=now - FORGOTTEN
    ).select_related("service")
    rows = list(waiting.order_by("-id")[:MOST_AT_ONCE])
    said = set(Speech.objects.filter(key__in=map(_key, rows)).values_list("key", flat=True))
    return [row for row in rows if _key(row) not in said]


def _key(incident: Incident) -> str:
    return f"incident:{incident.pk}:{incident.attempt}:{incident.status}"


def _alert(incident: Incident) -> None:
    Speech.objects.get_or_create(
        key=_key(incident),
        defaults={
            "kind": Speech.Kind.ALERT,
            "title": incident.title[:200],
            "severity": incident.severity,
            "incident": incident,
            "link": incident.path,
            "script": script_of(incident),
        },
    )


def summarise(*, person: User, now: datetime) -> Speech:
    """Write the present summary for one person and have it put into words and spoken; without vendors it is ready at once.

    The built-in words stand in the row from the start: they are read when no worker comes in time.
    """
    asks = bool(settings.VOICE or settings.SUMMARISER)
    row = Speech.objects.create(
        kind=Speech.Kind.STATUS,
        key=f"status:{person.pk}:{now.timestamp()}",
        title="How everything is",
        script=status_script(),
        person=person,
        ready_at=None if asks else now,
        note="" if asks else _NO_VENDOR,
    )
    if asks:
        queue.enqueue(SPEAK, row.pk)
    return row


_NO_VENDOR = "No voice is set up: the browser reads the script."


def speak(pk: int, *, now: datetime) -> bool:
    """Have one row spoken and push it; False when somebody else has it. A failure leaves it to the browser's voice.

    A summary is put into words first; without a vendor's it keeps its own.
    """
    row = Speech.objects.filter(pk=pk, ready_at=None)
    if not row.filter(Q(claimed_until=None) | Q(claimed_until__lt=now)).update(
        claimed_until=now + CLAIM
    ):
        return False
    kind, script = row.values_list("kind", "script").get()
    words = ""
    if kind == Speech.Kind.STATUS and settings.SUMMARISER:
        script, words = summaries.in_words(standing())
    audio, note = _audio(script)
    told = " ".join(filter(None, (words, note)))
    row.update(script=script, audio=audio, note=told[:300], ready_at=now)
    publish("speech", {"id": pk, "audio": address(audio)})
    Speech.objects.filter(created_at__lt=now - KEPT).delete()
    return True


def _audio(script: str) -> tuple[str, str]:
    """Return the name of the audio, or an empty text and why there is none. The same script is paid for once."""
    if not settings.VOICE:
        return "", _NO_VENDOR
    before = Speech.objects.filter(script=script).exclude(audio="").first()
    if before is not None and path_of(before.audio).exists():
        return before.audio, ""
    voice: Voice = import_string(settings.VOICE)()
    try:
        return keep(voice.speak(script)), ""
    except VoiceError as error:
        log.warning("The browser's voice speaks: %s", error)
        return "", f"{error}: the browser reads the script."


def keep(audio: bytes) -> str:
    """Store audio under its own digest, whole or not at all, and return the name."""
    name = hashlib.sha256(audio).hexdigest()
    path = path_of(name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.part")
        draft.write_bytes(audio)
        draft.replace(path)
    return name


def path_of(name: str) -> Path:
    """Return where the audio of a name lies."""
    return Path(settings.MEDIA_ROOT) / "voice" / f"{name}.mp3"


def address(audio: str) -> str:
    """Return the address of audio for signed-in people, empty for none."""
    return f"/voice/audio/{audio}.mp3" if audio else ""
