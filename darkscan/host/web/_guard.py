"""What every request passes first: whom it asks, who asks, whence, and how much it may send.

A plain ASGI application around the one with the routes, so that nothing is reached past it.
"""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from darkscan.host.web._access import COOKIE, Access, Session
from darkscan.host.web._metrics import Metrics
from darkscan.host.web._refusal import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 64 * 1024
_OPEN = frozenset({"/", "/favicon.ico", "/healthz", "/api/session"})
_OPEN_BELOW = ("/assets/", "/scan/")
_READS = frozenset({"GET", "HEAD"})
_METHODS = _READS | {"POST", "DELETE"}

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    b"connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]

_log = structlog.get_logger(__name__)


class Caller(NamedTuple):
    """Who asks; routes find it in ``request.state.caller``."""

    address: str
    free: bool
    """Needs no token, being on this computer."""

    session: Session | None
    bearer: bool

    @property
    def authenticated(self) -> bool:
        """Whether all may be read and written."""
        return self.free or self.bearer or self.session is not None


class Guard:
    """The application behind it answers only requests that it lets pass."""

    def __init__(self, app: App, access: Access, metrics: Metrics) -> None:
        self._app = app
        self._access = access
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        began = time.perf_counter()
        try:
            caller = self._admit(scope)
            if scope["method"] not in _READS:
                receive = await _whole_body(scope, receive)
            inner = {**scope, "state": {**scope.get("state", {}), "caller": caller}}
            inner["method"] = "GET" if scope["method"] == "HEAD" else scope["method"]
            await self._app(inner, receive, answer.send)
        except Refusal as refusal:
            await answer.refuse(refusal)
        except Exception:  # noqa: BLE001 - whatever it is, the host goes on
            _log.exception("request failed", path=scope["path"], method=scope["method"])
            await answer.refuse(Refusal(500, "this host failed; its log says why"))
        finally:
            self._metrics.answered(scope, answer.status, time.perf_counter() - began)

    def _admit(self, scope: Scope) -> Caller:
        """Who asks. Raises Refusal unless this may be asked."""
        headers = _Headers(scope)
        host = headers.one("host")
        if scope["method"] not in _METHODS:
            raise Refusal(405, "only GET, HEAD, POST and DELETE are answered")
        if not self._access.names.allows(host):
            raise Refusal(421, "this host has no such name: allow it with --web-name")
        caller = self._caller(scope, headers, host)
        if scope["method"] not in _READS:
            _require_own_page(headers, host, caller)
        path: str = scope["path"]
        if path in _OPEN or path.startswith(_OPEN_BELOW) or caller.authenticated:
            return caller
        raise Refusal(401, "needs the host's token", {"www-authenticate": "Bearer"})

    def _caller(self, scope: Scope, headers: "_Headers", host: str) -> Caller:
        address = (scope.get("client") or ("", 0))[0]
        free = self._access.is_free(address, host) and not headers.forwarded
        session = self._access.session(headers.cookie(COOKIE))
        scheme, _, token = headers.one("authorization").partition(" ")
        bearer = scheme.lower() == "bearer" and not free
        if bearer:
            self._access.check(address, token.strip())
        return Caller(address, free=free, session=session, bearer=bearer)


def _require_own_page(headers: "_Headers", host: str, caller: Caller) -> None:
    """Raises Refusal for a write that another page has a browser send, or that is no JSON."""
    site, origin = headers.one("sec-fetch-site"), headers.one("origin")
    if site not in {"", "same-origin", "none"} or not _is_from(origin, host):
        raise Refusal(403, "only the host's own page may write")
    if caller.session is not None and not (site or origin):
        raise Refusal(403, "a browser that writes must say from which page")
    kind = headers.one("content-type").partition(";")[0].strip().lower()
    has_body = headers.one("content-length") not in {"", "0"} or headers.has("transfer-encoding")
    if has_body and kind != "application/json":
        raise Refusal(415, "only application/json is taken")


def _is_from(origin: str, host: str) -> bool:
    """Whether an Origin header is that of this host's page; or of no page."""
    if not origin:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def _too_large() -> Refusal:
    most = f"{LARGEST_BODY // 1024} KiB"
    return Refusal(413, f"a body may have {most} at most", {"connection": "close"})


async def _whole_body(scope: Scope, receive: Receive) -> Receive:
    """Receives all of a body, and gives what hands it out. Raises Refusal."""
    length = _Headers(scope).one("content-length")
    if length.isdecimal() and int(length) > LARGEST_BODY:
        raise _too_large()
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "the client left before it had sent all")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _too_large()
        more = message.get("more_body", False)
    whole = iter([{"type": "http.request", "body": bytes(body), "more_body": False}])

    async def again() -> Message:
        return next(whole, None) or await receive()

    return again


class _Headers:
    """A request's headers."""

    def __init__(self, scope: Scope) -> None:
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

    def one(self, name: str) -> str:
        """A header's value; empty: it is not there. Several are in one, and so are no value."""
        found = [value for key, value in self._headers if key == name.encode()]
        return b", ".join(found).decode("latin-1")

    def has(self, name: str) -> bool:
        """Whether a header is there."""
        return any(key == name.encode() for key, _ in self._headers)

    @property
    def forwarded(self) -> bool:
        """Whether a proxy says that it asks for somebody else."""
        return any(map(self.has, ("forwarded", "x-forwarded-for", "x-real-ip", "via")))

    def cookie(self, name: str) -> str:
        """A cookie's value; empty: there is none."""
        for key, value in self._headers:
            if key == b"cookie":
                for part in value.decode("latin-1").split(";"):
                    label, _, content = part.strip().partition("=")
                    if label == name:
                        return content
        return ""


class _Answer:
    """An answer on its way, with the headers that all answers have."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        """An ASGI application's ``send``."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answers with one line, unless an answer has begun."""
        if self.status:
            return
        body = json.dumps({"detail": refusal.detail}).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "cache-control": "no-store",
            **refusal.headers,
        }
        fields = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self.send(
            {"type": "http.response.start", "status": refusal.status, "headers": fields}
        )
        await self.send({"type": "http.response.body", "body": body})
