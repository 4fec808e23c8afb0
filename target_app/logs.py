"""The log on standard output: one JSON object a line, and after it the traceback of a failure."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

logger = logging.getLogger("shop")


class LineFormatter(logging.Formatter):
    """Writes `event` and its values as JSON, so that nothing a client sends can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "values", {}),
        }
        text = json.dumps(line, default=str)
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return text


def configure() -> None:
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(LineFormatter())
    logger.handlers = [output]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # A reader of our log that went away must not fill standard error with complaints.
    logging.raiseExceptions = False


def event(
    name: str, *, level: int = logging.INFO, error: BaseException | None = None, **values: object
) -> None:
    """Log one event with its values; with `error`, its whole traceback follows."""
    logger.log(level, name, exc_info=error, extra={"values": values})
