"""Bad fixes on a running shop: each is deployed over every objection, and the exact bytes before have to come back."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

BUG = "    ledger_of_visits.append(request)\n"
ANCHOR = "endpoint, params = ROUTER.find"
LATER = (
    "    handle.asked = getattr(handle, 'asked', 0) + 1\n"
    "    if handle.asked > 40:\n"
    "        raise RuntimeError('it only works at first')\n"
)
AT_ONCE = (
    "    raise RuntimeError('a bad fix')\n",
    "    request.nothing_like_this()\n",
    "    __import__('time').sleep(5)\n",
    "    import no_such_module_at_all\n",
    "   this is no Python\n",
    "    __import__('os')._exit(3)\n",
)
KINDS = (*AT_ONCE, LATER)


class Undoing:
    """A healthy shop under a real keeper, and two people who insist."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._stack = directory, ExitStack()

    def __enter__(self) -> Undoing:
        from tests.incidents.world import running_shop

        self.lead, self.author = _lead("lead@example.com"), _lead("author@example.com")
        self.shop = self._stack.enter_context(running_shop(self._directory, autonomy="ask"))
        self.handler = self._directory / "handler.py"
        self.good = self.handler.read_bytes()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def deploy_bad(self, number: int) -> dict[str, Any]:
        """Break the shop, deploy one bad fix, and return what became of it."""
        from tests.incidents import world

        text = KINDS[number % len(KINDS)]
        self._shop_traffic(20)
        world.insert(self.handler, ANCHOR, BUG)
        broken = self.handler.read_bytes()
        world.restart(self.shop)
        begun = time.monotonic()
        incident = self._insist(world.run(self._detected()), text)
        if text is LATER:
            incident = self._relapse(incident)
        deployment = incident.deployments.last()
        row = {
            "fix": text.strip().splitlines()[0],
            "undone": deployment is not None
            and deployment.state == "undone"
            and self.handler.read_bytes() == broken
            and incident.status == "ESCALATED",
            "outcome": deployment.outcome if deployment else _last_words(incident),
            "seconds": round(time.monotonic() - begun, 2),
        }
        self._mend(incident)
        return row

    def _detected(self) -> Any:
        from django.utils import timezone

        from incidents.models import Incident
        from incidents.pipeline import detect
        from tests.incidents import world

        world.wait_for(lambda: world.probe(self.shop).state in {"down", "degraded"})
        ids = detect.consume_changes(now=timezone.now())
        return Incident.objects.select_related("service").get(pk=ids[-1])

    def _insist(self, incident: Any, text: str) -> Any:
        """Propose the bad fix in one name, override every objection in another, and let it be deployed."""
        from incidents.pipeline import approvals, people
        from tests.incidents import world

        actions = [{"kind": "edit", "path": "handler.py", "old": BUG, "new": text}]
        fix = people.propose(
            incident_id=incident.pk, person=self.author, actions=actions, reason="I am sure"
        )
        world.run(incident)
        approvals.authorise(
            incident_id=incident.pk,
            fix_digest=fix.digest,
            person=self.lead,
            reason="I insist",
            override=True,
        )
        return world.run(incident)

    def _relapse(self, incident: Any) -> Any:
        """Let shoppers come until the fix shows what it is, and have the watch window judged."""
        from django.utils import timezone

        from incidents.pipeline import verify
        from tests.incidents import world

        if incident.status != "RESOLVED":
            return incident
        self._shop_traffic(60)
        verify.settle_watched(now=timezone.now())
        incident.refresh_from_db()
        return world.run(incident)

    def _shop_traffic(self, requests: int) -> None:
        from monitoring import recorder
        from monitoring.values import HttpRequest

        for _ in range(requests):
            recorder.send(
                service=self.shop, request=HttpRequest(path="/api/products"), source="shop"
            )

    def _mend(self, incident: Any) -> None:
        """Put the shop right by hand, and close what is open."""
        from django.utils import timezone

        from incidents.models import Incident
        from incidents.pipeline import detect
        from tests.incidents import world

        self.handler.write_bytes(self.good)
        world.restart(self.shop)
        world.wait_for(lambda: world.probe(self.shop).state == "healthy")
        detect.consume_changes(now=timezone.now())
        Incident.objects.filter(service=self.shop).update(status="CLOSED", step="", lease=None)


def _last_words(incident: Any) -> str:
    said = " | ".join(entry.text for entry in incident.timeline.order_by("-id")[:8])
    return f"not deployed, {incident.status}: {said}"


def _lead(email: str) -> Any:
    from teams.models import User
    from teams.people import settle_role
    from teams.roles import Role

    person = User(email=email, role=Role.TEAM_LEAD, display_name=email.partition("@")[0])
    person.set_unusable_password()
    person.save()
    settle_role(person)
    return person
