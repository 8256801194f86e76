"""What is answered instead of what was asked for."""

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 - the request is at fault, not this host
    """A request that is not answered, why in one line."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """``headers``: more of the answer's."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def not_found(detail: str) -> Refusal:
    """There is no such thing."""
    return Refusal(404, detail)
