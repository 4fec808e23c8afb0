"""The vendors' settings, part of `settings.py` (docs/vendors.md): an empty key means "not set up"."""

from __future__ import annotations

from agentops_site.claude_models import CLAUDE_PRICES as CLAUDE_PRICES
from agentops_site.claude_models import CLAUDE_RETIRED_MODELS as CLAUDE_RETIRED_MODELS
from agentops_site.environment import flag, number, text

ANTHROPIC_API_KEY = text("ANTHROPIC_API_KEY", "")
ANTHROPIC_BASE_URL = text("ANTHROPIC_BASE_URL", "")
CLAUDE_MODEL = text("CLAUDE_MODEL", "claude-sonnet-5-5")
CLAUDE_SUMMARY_MODEL = text("CLAUDE_SUMMARY_MODEL", "claude-haiku-5-5")
CLAUDE_FALLBACK_MODEL = "claude-sonnet-5-5"
CLAUDE_MAX_TURNS = int(number("CLAUDE_MAX_TURNS", 12))
CLAUDE_MAX_INPUT_TOKENS = int(number("CLAUDE_MAX_INPUT_TOKENS", 400_000))
CLAUDE_MAX_OUTPUT_TOKENS = int(number("CLAUDE_MAX_OUTPUT_TOKENS", 24_000))
CLAUDE_MAX_USD = number("CLAUDE_MAX_USD", 0.50)
CLAUDE_MAX_SECONDS = number("CLAUDE_MAX_SECONDS", 60.0)
CLAUDE_CALL_SECONDS = number("CLAUDE_CALL_SECONDS", 30.0)
CLAUDE_SUMMARY_SECONDS = number("CLAUDE_SUMMARY_SECONDS", 6.0)
CLAUDE_SUMMARY_USD = number("CLAUDE_SUMMARY_USD", 0.02)
CLAUDE_SUMMARY_USD_A_DAY = number("CLAUDE_SUMMARY_USD_A_DAY", 0.50)
# What the test button of the vendors page asks: a function that says in words how it went, and never raises.
VENDOR_TESTS = {
    "claude": "agentops_site.integrations.claude.test_connection",
    "blaxel": "agentops_site.integrations.blaxel.test_connection",
    "white_circle": "agentops_site.integrations.white_circle.test_connection",
    "elevenlabs": "agentops_site.integrations.elevenlabs.test_connection",
}
VENDOR_BREAKER_FAILURES = int(number("VENDOR_BREAKER_FAILURES", 3))
VENDOR_BREAKER_SECONDS = number("VENDOR_BREAKER_SECONDS", 60.0)
BL_API_KEY = text("BL_API_KEY", "")
BL_WORKSPACE = text("BL_WORKSPACE", "")
BLAXEL_API_URL = text("BLAXEL_API_URL", "")
BLAXEL_SANDBOX = text("BLAXEL_SANDBOX", "agentops-ecom")
BLAXEL_TRIAL_SANDBOX = text("BLAXEL_TRIAL_SANDBOX", "agentops-trial")
BLAXEL_TRIAL_IDLE = text("BLAXEL_TRIAL_IDLE", "30m")
BLAXEL_IMAGE = text("BLAXEL_IMAGE", "blaxel/py-app:latest")
BLAXEL_MEMORY_MB = int(number("BLAXEL_MEMORY_MB", 2048))
BLAXEL_REGION = text("BLAXEL_REGION", "us-pdx-1")
BLAXEL_PORT = int(number("BLAXEL_PORT", 3000))
BLAXEL_KEEP_ALIVE = flag("BLAXEL_KEEP_ALIVE", default=True)
BLAXEL_SECONDS = number("BLAXEL_SECONDS", 10.0)
BLAXEL_COMMAND_SECONDS = int(number("BLAXEL_COMMAND_SECONDS", 20))
BLAXEL_CREATE_SECONDS = number("BLAXEL_CREATE_SECONDS", 60.0)
WHITECIRCLE_API_KEY = text("WHITECIRCLE_API_KEY", "")
WHITECIRCLE_API_URL = text("WHITECIRCLE_API_URL", "https://us.whitecircle.ai/api")
WHITECIRCLE_DEPLOYMENT_ID = text("WHITECIRCLE_DEPLOYMENT_ID", "")
WHITECIRCLE_SECONDS = number("WHITECIRCLE_SECONDS", 15.0)
WHITECIRCLE_REQUIRED = flag("WHITECIRCLE_REQUIRED", default=False)
ELEVENLABS_API_KEY = text("ELEVENLABS_API_KEY", "")
ELEVENLABS_VOICE_ID = text("ELEVENLABS_VOICE_ID", "21m00Tcm4TlvDq8ikWAM")
ELEVENLABS_BASE_URL = text("ELEVENLABS_BASE_URL", "")
ELEVENLABS_MODEL = text("ELEVENLABS_MODEL", "eleven_flash_v2_5")
ELEVENLABS_SECONDS = number("ELEVENLABS_SECONDS", 8.0)
ELEVENLABS_MAX_BYTES = int(number("ELEVENLABS_MAX_BYTES", 4_000_000))
ELEVENLABS_USD_PER_1000 = number("ELEVENLABS_USD_PER_1000", 0.05)  # characters
