"""The team's socket."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer


class TeamSocket(AsyncWebsocketConsumer):
    """One open page of a signed-in person."""

    async def connect(self) -> None:
        """Let signed-in people in."""
        await self.accept()
        user = self.scope["user"]
        if user is None or not user.is_authenticated:
            await self.close(code=4401)
