"""What one conversation may cost: turns, tokens, money and time. Checked before a call, not regretted after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from django.conf import settings

MAX_ANSWER_TOKENS = 8_000
LEAST_ANSWER_TOKENS = 800
CHARACTERS_PER_TOKEN = 3.0
CACHE_WRITE, CACHE_READ = 1.25, 0.1
CONCLUDE_AT = 0.7


class BudgetSpent(Exception):
    """The conversation may not go on; the text says which limit was reached."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens of one exchange, as the vendor counted them."""

    fresh: int = 0
    cache_write: int = 0
    cache_read: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        """Return everything that was read, cached or not."""
        return self.fresh + self.cache_write + self.cache_read


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars for a million tokens read and written."""

    read: float
    write: float

    @classmethod
    def of(cls, model: str) -> Price:
        """Return the price in the settings; an unknown model counts as the dearest one."""
        prices = settings.CLAUDE_PRICES
        read, write = prices.get(model) or max(prices.values(), key=lambda price: price[1])
        return cls(read=read, write=write)

    def cost(self, tokens: Tokens) -> float:
        """Return what an exchange cost in US dollars."""
        read = tokens.fresh + CACHE_WRITE * tokens.cache_write + CACHE_READ * tokens.cache_read
        return (read * self.read + tokens.output * self.write) / 1_000_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one conversation, from the settings."""

    turns: int
    input_tokens: int
    output_tokens: int
    usd: float
    seconds: float
    call_seconds: float

    @classmethod
    def from_settings(cls) -> Limits:
        """Return the limits as they are set now."""
        return cls(
            turns=settings.CLAUDE_MAX_TURNS,
            input_tokens=settings.CLAUDE_MAX_INPUT_TOKENS,
            output_tokens=settings.CLAUDE_MAX_OUTPUT_TOKENS,
            usd=settings.CLAUDE_MAX_USD,
            seconds=settings.CLAUDE_MAX_SECONDS,
            call_seconds=settings.CLAUDE_CALL_SECONDS,
        )


@dataclass(frozen=True, kw_only=True)
class Room:
    """What the next call may use."""

    max_tokens: int
    seconds: float


@dataclass
class Budget:
    """Counts what is used up. `usd` starts at what earlier conversations about the incident cost."""

    limits: Limits
    price: Price
    usd: float = 0.0
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    began: float = field(default_factory=monotonic)

    @property
    def seconds(self) -> float:
        """Return how long the conversation has lasted."""
        return monotonic() - self.began

    def room(self, characters: int) -> Room:
        """Return what a call that sends so many characters may use, or raise `BudgetSpent`."""
        limits = self.limits
        coming = int(characters / CHARACTERS_PER_TOKEN)
        coming_usd = self.price.cost(Tokens(cache_write=coming))
        affordable = int((limits.usd - self.usd - coming_usd) / self.price.write * 1_000_000)
        tokens = min(MAX_ANSWER_TOKENS, limits.output_tokens - self.output_tokens, affordable)
        seconds = min(limits.call_seconds, limits.seconds - self.seconds)
        self._refuse(self.turns >= limits.turns, f"used its {limits.turns} turns")
        self._refuse(seconds <= 0, f"used its {limits.seconds:.0f} s")
        self._refuse(
            self.input_tokens + coming > limits.input_tokens,
            f"would read more than its {limits.input_tokens} tokens",
        )
        self._refuse(
            affordable < LEAST_ANSWER_TOKENS,
            f"would cost more than ${limits.usd:.2f} (${self.usd:.2f} spent)",
        )
        self._refuse(tokens < LEAST_ANSWER_TOKENS, f"wrote its {limits.output_tokens} tokens")
        return Room(max_tokens=tokens, seconds=seconds)

    def add(self, tokens: Tokens) -> None:
        """Count one exchange."""
        self.turns += 1
        self.input_tokens += tokens.input
        self.output_tokens += tokens.output
        self.usd += self.price.cost(tokens)

    @property
    def must_conclude(self) -> bool:
        """Return whether so little is left that the next answer has to be the last."""
        limits = self.limits
        return (
            self.turns >= limits.turns - 1
            or self.seconds > CONCLUDE_AT * limits.seconds
            or self.usd > CONCLUDE_AT * limits.usd
            or self.output_tokens > CONCLUDE_AT * limits.output_tokens
            or self.input_tokens > CONCLUDE_AT * limits.input_tokens
        )

    @staticmethod
    def _refuse(over: bool, words: str) -> None:  # noqa: FBT001 - private, two callers in sight
        if over:
            raise BudgetSpent(f"The conversation {words}.")
