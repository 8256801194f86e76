"""Which keys may come in, as the list of allowed ones says at the moment."""

import threading

import structlog

from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.access.seldom import Seldom
from darkscan.pipeline.core.errors import InputError

_log = structlog.get_logger(__name__)


class Guests:
    """The allowed keys, looked up by several threads; a change of the list counts at once."""

    def __init__(self, ring: KeyRing) -> None:
        """Raises InputError if the list cannot be read."""
        self._ring = ring
        self._lock = threading.Lock()
        self._known = ring.allowed()
        self._seldom = Seldom(_log)

    def name_of(self, key: str) -> str | None:
        """The name by which a key is allowed; None: it is not.

        While the list is damaged, it counts as it was before.
        """
        with self._lock:
            try:
                self._known = self._ring.allowed()
            except InputError as error:
                self._seldom.warning(
                    "the list of allowed keys is left as it was", "list", reason=str(error)
                )
            return self._known.get(key)
