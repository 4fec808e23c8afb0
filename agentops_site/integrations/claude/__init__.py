"""Claude as a diagnostician and fix writer: one conversation per incident and attempt, with read-only tools.

The SDK costs two seconds to import and is imported inside functions only, in the worker that uses it.
"""

from __future__ import annotations

from agentops_site.integrations.claude.adapters import ClaudeDiagnostician, ClaudeFixWriter
from agentops_site.integrations.claude.connection import test_connection
from agentops_site.integrations.claude.summary import ClaudeSummariser

__all__ = ["ClaudeDiagnostician", "ClaudeFixWriter", "ClaudeSummariser", "test_connection"]
