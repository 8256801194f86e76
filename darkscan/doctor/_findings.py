"""What the doctor looks at, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from darkscan.drivers.rig import Rig, load_rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.recipe import Recipe

Level = Literal["ok", "note", "problem"]
"""Good; good to know; or something that will not work."""


class Finding(NamedTuple):
    """One line of the examination."""

    subject: str
    """What was looked at, in a word or two."""

    level: Level
    text: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


@dataclass(frozen=True)
class Subject:
    """The use that is to be made of this computer; what is None or empty is not looked at."""

    recipe: Recipe
    model: Path
    """The recipe's model file."""

    out: Path
    """A folder that results will be written to, or below."""

    rig_file: Path | None = None
    host: str | None = None
    """The address of the host computer, as a run would be given it."""

    host_key: str = ""
    insecure: bool = False
    """Whether the host is, or will be, without keys."""

    store: Path | None = None
    """The folder of the host's store, if this is to be the host computer."""

    listen: str = ""
    """Where the host's link will listen, tcp://HOST:PORT."""

    web: str = ""
    """Where the host's page will be, HOST:PORT."""

    @cached_property
    def rig(self) -> Rig | None:
        """What the rig file says; None where none is given, or where it cannot be used.

        A check of its own says why it cannot be used.
        """
        try:
            return None if self.rig_file is None else load_rig(self.rig_file)
        except InputError:
            return None


Check = Callable[[Subject], Iterable[Finding]]
"""A part of the examination; what it raises becomes a finding, too."""


def ok(subject: str, text: str) -> Finding:
    """A finding that needs nothing done."""
    return Finding(subject, "ok", text)


def note(subject: str, text: str, advice: str = "") -> Finding:
    """A finding that is good to know."""
    return Finding(subject, "note", text, advice)


def problem(subject: str, text: str, advice: str = "") -> Finding:
    """A finding that will stop what is to be done."""
    return Finding(subject, "problem", text, advice)


def counted(number: int, what: str) -> str:
    """A number of things: "1 note", "2 notes"."""
    return f"{number} {what}{'' if number == 1 else 's'}"
