"""How the uplink, and who finishes its work, put things into words."""

import platform
from datetime import UTC, datetime

from darkscan.pipeline.core.names import printable
from darkscan.pipeline.host_link.sender import Sender

_LONGEST_WORDS = 300
_LONGEST_NAME = 80
_FEW_WAIT = 5  # are on their way


def words(text: str, longest: int = _LONGEST_WORDS) -> str:
    """A text as the host takes it: in one line, and not too long."""
    return printable(" ".join(text.split()))[:longest]


def utc(moment: datetime) -> str:
    """A moment as messages to the host have it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def rig_name() -> str:
    """This computer's name, as it greets a host."""
    return words(platform.node(), _LONGEST_NAME) or "rig"


def link_words(sender: Sender, waiting: int) -> str:
    """How the link is, for the operator; ``waiting``: durable parcels in the outbox."""
    state = f"{sender.state}: {sender.problem}" if sender.problem else sender.state
    return f"{waiting} wait, {state}" if waiting > _FEW_WAIT or sender.problem else state
