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

    def __init__(self, say: Callable[..., Any]) -> None:
        """``say``: a method of a logger, as ``log.warning``."""
        self._say = say
        self._next: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def __call__(self, event: str, about: str, **fields: object) -> None:
        """Says ``event`` with its fields; ``about``: what makes it the same thing again."""
        now = time.monotonic()
        if about not in self._next and len(self._next) >= MOST:
            self._forget(now)
            if len(self._next) >= MOST:
                about = _OTHERS
        if now < self._next.get(about, now):
            self._unsaid[about] = self._unsaid.get(about, 0) + 1
            return
        self._next[about] = now + EVERY_S
        if unsaid := self._unsaid.pop(about, 0):
            fields["unsaid_before"] = unsaid
        self._say(event, **fields)

    def _forget(self, now: float) -> None:
        """Forgets what could be said again by now."""
        self._next = {about: at for about, at in self._next.items() if at > now}
        self._unsaid = {about: n for about, n in self._unsaid.items() if about in self._next}
