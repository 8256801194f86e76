"""A station whose stage does nothing by itself: the test makes each step."""

import zmq


class AtRest:
    """Stands in for a Station."""

    index = 0
    stopping = False

    def listen_to(self, wire: zmq.Socket[bytes]) -> None:
        """Nothing is waited for."""

    def beat(self, frames: int, **_: object) -> None:
        """Nobody listens."""
