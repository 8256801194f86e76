"""The host's clock."""

import time
from datetime import UTC, datetime

from darkscan.pipeline.host_link.messages import Utc


def now() -> float:
    """Seconds since 1970."""
    return time.time()


def utc(seconds: float) -> Utc:
    """A moment as ISO 8601, UTC, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
