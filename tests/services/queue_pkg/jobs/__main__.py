"""`python3 -m jobs`, with PORT in the environment."""

from __future__ import annotations

import os
import sys
from http.server import ThreadingHTTPServer

from jobs import web, worker
from jobs.store import Store

web.Handler.store = Store()
web.Handler.worker = worker.begin(web.Handler.store)
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), web.Handler)
sys.stdout.write("the queue is open\n")
server.serve_forever()
