"""The parent of one local service: a small program of its own that outlives AgentOps' other processes.

It runs as `python -E -s -S -m monitoring.keeper FOLDER LOG` on the standard library alone, because a service must
not stop when a worker, the web server or the database does, and because ten services must not cost ten Djangos.
The modules `identity`, `state`, `log`, `child`, `loop` are that program; `client` is how AgentOps speaks to it.
"""

from __future__ import annotations
