"""Warnings that somebody else can provoke: each is said now and then only."""

import time
from collections.abc import Callable
from typing import Any

EVERY_S = 60.0
MOST = 100
"""Different ones that are told apart; those beyond are taken for one."""

_OTHERS = ""


class Seldom:
    """Says a thing at once, and again after a minute at the earliest, with how often it was."""

    def __init__(self, log: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``log``: structlog's logger of a module."""
        self._log = log
        self._clock = clock
        self._next: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def warning(self, event: str, about: str, **fields: object) -> None:
        """Warns of ``event`` with its fields; ``about``: what makes it the same thing again."""
        if (unsaid := self._due(about)) is not None:
            self._log.warning(event, **fields, **unsaid)

    def error(self, event: str, about: str, **fields: object) -> None:
        """Says that ``event`` is an error; ``about`` as of ``warning``."""
        if (unsaid := self._due(about)) is not None:
            self._log.error(event, **fields, **unsaid)

    def info(self, event: str, about: str, **fields: object) -> None:
        """Says ``event``; ``about`` as of ``warning``."""
        if (unsaid := self._due(about)) is not None:
            self._log.info(event, **fields, **unsaid)

    def _due(self, about: str) -> dict[str, int] | None:
        """How often it was not said, as a field, if it is to be said now; else None."""
        now = self._clock()
        if about not in self._next and len(self._next) >= MOST:
            self._forget(now)
            if len(self._next) >= MOST:
                about = _OTHERS
        if now < self._next.get(about, now):
            self._unsaid[about] = self._unsaid.get(about, 0) + 1
            return None
        self._next[about] = now + EVERY_S
        unsaid = self._unsaid.pop(about, 0)
        return {"unsaid_before": unsaid} if unsaid else {}

    def _forget(self, now: float) -> None:
        """Forgets what could be said again by now."""
        self._next = {about: at for about, at in self._next.items() if at > now}
        self._unsaid = {about: n for about, n in self._unsaid.items() if about in self._next}
