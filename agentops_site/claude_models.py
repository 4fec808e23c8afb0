"""What is known of Claude's models: settings that change with the vendor's price list (docs/vendors.md)."""

from __future__ import annotations

# US dollars for a million tokens read and written; writing the cache costs 1.25 of reading, reading it a tenth.
CLAUDE_PRICES = {
    "claude-sonnet-5-5": (2.0, 10.0),
    "claude-opus-5-5": (4.0, 20.0),
    "claude-haiku-5-5": (0.1, 0.5),
}
CLAUDE_RETIRED_MODELS = [
    "claude-sonnet-4-20250514",
    "claude-opus-4-20250514",
    "claude-3-7-sonnet-20250219",
    "claude-3-5-haiku-20241022",
    "claude-mythos-preview",
]
