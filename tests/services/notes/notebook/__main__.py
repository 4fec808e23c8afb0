"""`python3 -m notebook PORT`."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from pathlib import Path

from notebook import settings
from notebook.answers import answer
from notebook.storage import Notes

HERE = Path(__file__).resolve().parent.parent


async def main(port: int) -> None:
    chosen = settings.load(HERE / "notes.toml")
    notes = Notes(chosen.file)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split("\r\n")[0].split(" ")
        lengths = [
            ln.split(":")[1] for ln in head.lower().split("\r\n") if ln.startswith("content-length")
        ]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        try:
            status, content = answer(method, path, body, chosen, notes)
        except Exception as error:
            traceback.print_exc()
            failure = {"type": type(error).__name__, "detail": str(error)}
            status, content = 500, {"error": failure | {"traceback": traceback.format_exc()}}
        payload = json.dumps(content).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (status, len(payload), payload)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    sys.stdout.write("notes are open\n")
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
