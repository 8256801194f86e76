"""What a stranger sends is refused in one line, and the host goes on."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.host_web.conftest import TOKEN, Served
from tests.host_web.example_server import FINISHED

SCAN = f"/api/scans/{FINISHED.scan}"
REVIEW = {"defect": "D0001", "verdict": "confirmed", "name": "Eve"}


def raw(port: int, request: bytes) -> bytes:
    """What comes back for bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def still_answers(served: Served) -> None:
    with served.client() as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../index.html",
        "/assets/../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/%252e%252e%252fetc%252fpasswd",
        "/assets/..\\..\\etc\\passwd",
        "/assets/..%5c..%5cetc%5cpasswd",
        "/assets//etc/passwd",
        "/assets/%00",
        "/assets/page-0a1b2c.js%00.png",
        "/assets/notes.exe",
        "/assets/",
        f"/api/scans/{FINISHED.scan}/../../../etc/passwd",
        "/api/scans/..%2f..%2ftoken/map",
        f"/api/scans/{FINISHED.scan.upper()}",
        f"/api/scans/{FINISHED.scan}%00",
        f"/api/scans/{FINISHED.scan}%0a",
        f"{SCAN}/tiles/0/..%2f..%2ftoken/0",
        f"{SCAN}/tiles/0/0/0%0a",
        f"{SCAN}/tiles/0/\u0661/0",
        f"{SCAN}/tiles/0/1e3/0",
        f"{SCAN}/tiles/0/{'9' * 400}/0",
        f"{SCAN}/defects/D0001%2f..%2f..",
        f"{SCAN}/defects/D0001'%20OR%201=1--",
        f"{SCAN}/defects/D{'1' * 11}",
        "/etc/passwd",
        "//etc/passwd",
        "/api/scans/",
    ],
)
def test_no_path_leads_out_of_what_is_served(served: Served, path: str) -> None:
    request = f"GET {httpx.URL('http://x' + path).raw_path.decode()} HTTP/1.1\r\n"
    answer = raw(served.port, (request + f"Host: {served.host}\r\n\r\n").encode())
    assert status(answer) == 404
    assert b"root:" not in answer
    # The same path, without a client's or this test's tidying.
    plain = "".join(letter if " " < letter < "\x7f" else "%" for letter in path)
    answer = raw(served.port, f"GET {plain} HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode())
    assert status(answer) in {400, 404}
    assert b"root:" not in answer


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (f"{SCAN}/frames", "after=-1"),
        (f"{SCAN}/frames", "after=NaN"),
        (f"{SCAN}/frames", "after=1e3"),
        (f"{SCAN}/frames", f"after={'9' * 400}"),
        (f"{SCAN}/shapes", "after=Infinity"),
        (f"{SCAN}/shapes", "after=9223372036854775808"),
        (f"{SCAN}/reviews", "after=1;DROP TABLE reviews"),
        ("/api/scans", "limit=1000000000"),
        ("/api/scans", "limit=0"),
        ("/api/scans", "limit=-5"),
        ("/api/scans", "limit=NaN"),
        ("/api/scans", "state=' OR 1=1"),
        ("/api/scans", f"element={'x' * 201}"),
        ("/api/scans", f"before={'x' * 101}"),
        (f"{SCAN}/defects/D0001/picture", "view=../raw"),
    ],
)
def test_values_that_cannot_be_are_refused_with_their_name(
    client: httpx.Client, path: str, query: str
) -> None:
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(query.partition("=")[0])


@pytest.mark.parametrize(
    "query",
    ["before=nonsense", "before=-1", "before=%00", "element=%25%27%22%00", "rig=%27%3B--", "x=1"],
)
def test_odd_words_find_nothing_and_break_nothing(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/api/scans?{query}")
    assert answer.status_code in {200, 400, 422}
    assert len(client.get("/api/scans").json()["scans"]) >= 4


def test_injected_words_are_kept_and_given_back_as_they_are(client: httpx.Client) -> None:
    words = "'); DROP TABLE reviews; -- <img src=x onerror=alert(1)> {{7*7}} ${7*7} \u202e"
    answer = client.post(f"{SCAN}/reviews", json={**REVIEW, "comment": words.rstrip("\u202e")})
    assert answer.status_code == 201
    listed = client.get(f"{SCAN}/reviews")
    assert listed.json()["reviews"][-1]["comment"] == words.rstrip("\u202e")
    # A browser that is led to the answer does not take it for a page.
    assert listed.headers["content-type"] == "application/json"
    assert listed.headers["x-content-type-options"] == "nosniff"


def endless(size: int) -> Iterator[bytes]:
    for _ in range(size // 4096):
        yield b'"' + b"x" * 4095


@pytest.mark.parametrize("way", ["with its length", "in chunks", "with a wrong length"])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(served: Served, way: str) -> None:
    path = f"POST {SCAN}/reviews HTTP/1.1\r\nHost: {served.host}\r\n"
    kind = "Content-Type: application/json\r\n"
    if way == "in chunks":
        body = b"".join(b"1000\r\n" + part + b"\r\n" for part in endless(1 << 20))
        head = path + kind + "Transfer-Encoding: chunked\r\n\r\n"
    else:
        body = b"{" if way == "with a wrong length" else b"".join(endless(1 << 17))
        head = path + kind + f"Content-Length: {1 << 40 if len(body) == 1 else len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(head.encode())
        try:
            connection.sendall(body)
            answer = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            answer = b"HTTP/1.1 413 closed before all was sent"
    assert status(answer) == 413
    still_answers(served)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"defect":"D0001"}',
        b"[" * 60_000,
        b'{"a":' * 8_000 + b"1" + b"}" * 8_000,
        b'{"defect":"D0001","verdict":"open","name":"\xff\xfe"}',
        b'{"defect":"D0001","verdict":"open","name":"\\ud800"}',
        b'{"defect":"D0001","verdict":"open","name":NaN}',
        b'{"defect":"D0001","verdict":"open","name":"a","comment":' + b"9" * 50_000 + b"}",
    ],
    ids=[
        *("empty", "half", "null", "a list", "fields are missing", "deep lists", "deep objects"),
        *("no UTF-8", "half a letter", "NaN", "a number of 50 000 digits"),
    ],
)
def test_a_body_that_is_no_review_is_refused(client: httpx.Client, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post(f"{SCAN}/reviews", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_only_json_is_taken(client: httpx.Client, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = client.post(f"{SCAN}/reviews", content=json.dumps(REVIEW), headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost"},
        {"origin": "http://["},
        {"origin": "file://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://evil.example"},
    ],
)
def test_another_page_cannot_write(client: httpx.Client, headers: dict[str, str]) -> None:
    before = len(client.get(f"{SCAN}/reviews").json()["reviews"])
    answer = client.post(f"{SCAN}/reviews", json=REVIEW, headers=headers)
    assert answer.status_code == 403
    assert len(client.get(f"{SCAN}/reviews").json()["reviews"]) == before
    assert client.post("/api/session", json={"token": "x"}, headers=headers).status_code == 403


@pytest.mark.parametrize("name", ["origin", "sec-fetch-site", "content-type"])
def test_a_header_that_comes_twice_is_not_taken_for_none(client: httpx.Client, name: str) -> None:
    twice = [(name, "evil"), (name, "evil")]
    kind = [] if name == "content-type" else [("content-type", "application/json")]
    body = json.dumps(REVIEW)
    answer = client.post(f"{SCAN}/reviews", content=body, headers=[*twice, *kind])
    assert answer.status_code in {403, 415}


def test_another_page_cannot_read(client: httpx.Client) -> None:
    answer = client.get(SCAN, headers={"origin": "http://evil.example"})
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-frame-options"] == "DENY"


def test_the_hosts_own_page_can_write(served: Served) -> None:
    headers = {"origin": served.url, "sec-fetch-site": "same-origin"}
    with served.client(**headers) as client:
        assert client.post(f"{SCAN}/reviews", json=REVIEW).status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost:x"])
@pytest.mark.parametrize("path", ["/", SCAN, "/healthz", "/metrics", "/api/session"])
def test_a_name_that_is_not_this_hosts_is_refused(
    client: httpx.Client, host: str, path: str
) -> None:
    assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via", "x-real-ip"])
def test_what_a_proxy_forwards_is_not_from_this_computer(client: httpx.Client, header: str) -> None:
    answer = client.get(SCAN, headers={header: "127.0.0.1"})
    assert answer.status_code == 401


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_not_done(served: Served, method: str) -> None:
    request = f"{method} {SCAN} HTTP/1.1\r\nHost: {served.host}\r\nContent-Length: 0\r\n\r\n"
    assert status(raw(served.port, request.encode())) == 405


@pytest.mark.parametrize("path", [SCAN, "/api/scans", f"{SCAN}/map", "/healthz"])
def test_what_is_read_cannot_be_written_or_removed(client: httpx.Client, path: str) -> None:
    assert client.post(path, json={}).status_code == 405
    assert client.delete(path).status_code == 405


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes=0-0",
        "bytes=-1",
        "bytes=0-,0-,0-,0-",
        "bytes=9-1",
        "lines=1-2",
        "bytes=" + "0-," * 999,
    ],
)
def test_parts_of_an_answer_are_not_served(client: httpx.Client, wanted: str) -> None:
    answer = client.get(f"{SCAN}/map", headers={"range": wanted})
    assert answer.status_code == 200
    assert answer.content == FINISHED.map_json


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x00" * 1000,
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 30_000 + b"\r\n",
    ],
    ids=[
        *("TLS", "a version to come", "no version", "zeros", "two names", "no name"),
        *("a negative length", "two lengths", "a long header", "a long path", "many headers"),
    ],
)
def test_what_is_no_request_is_refused(served: Served, request_bytes: bytes) -> None:
    try:
        answer = raw(served.port, request_bytes)
    except OSError:  # the host hung up before all was sent
        answer = b""
    assert status(answer) in {0, 400, 421, 431}
    still_answers(served)


# With a token


@pytest.mark.parametrize(
    "path", ["/api/scans", SCAN, f"{SCAN}/map", f"{SCAN}/tiles/3/0/0", "/api/events", "/metrics"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic eDp5"},
        {"cookie": "darkscan_session=forged"},
        {"cookie": f"darkscan_session={TOKEN}"},
        {"cookie": "darkscan_session=W10=.00; other=1"},
    ],
    ids=["nothing", "another scheme", "a forged session", "the token as session", "a list"],
)
def test_nothing_is_read_without_the_token(
    guarded: Served, path: str, headers: dict[str, str]
) -> None:
    with guarded.client(**headers) as client:
        answer = client.get(path)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "needs the host's token"}


def test_the_page_itself_and_health_need_no_token(guarded: Served) -> None:
    with guarded.client() as client:
        assert client.get("/").status_code in {200, 404}
        assert client.get("/healthz").status_code == 200
        expected = {"needed": True, "authenticated": False, "name": ""}
        assert client.get("/api/session").json() == expected


def test_a_bearer_token_reads_and_writes(guarded: Served) -> None:
    with guarded.client(authorization=f"Bearer {TOKEN}") as client:
        assert client.get(SCAN).status_code == 200
        assert client.get("/metrics").status_code == 200
        assert client.post(f"{SCAN}/reviews", json=REVIEW).status_code == 201


def test_a_session_is_opened_kept_in_a_safe_cookie_and_ended(guarded: Served) -> None:
    own = {"origin": guarded.url}
    with guarded.client() as client:
        signed = client.post("/api/session", json={"token": TOKEN, "name": "Ada"}, headers=own)
        cookie = signed.headers["set-cookie"]
        assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
        assert client.get("/api/session").json()["name"] == "Ada"
        assert client.get(SCAN).status_code == 200
        assert client.post(f"{SCAN}/reviews", json=REVIEW, headers=own).status_code == 201
        # A browser always says from which page it writes; without, it is not the page.
        assert client.post(f"{SCAN}/reviews", json=REVIEW).status_code == 403
        value = client.cookies["darkscan_session"]
        ended = client.delete("/api/session", headers=own)
        assert ended.json()["authenticated"] is False
        client.cookies.clear()
        stolen = {"cookie": f"darkscan_session={value}"}
        assert client.get(SCAN, headers=stolen).status_code == 401


def test_signing_in_never_takes_over_a_session_that_was_brought(guarded: Served) -> None:
    with guarded.client(cookie="darkscan_session=planted") as client:
        signed = client.post("/api/session", json={"token": TOKEN}, headers={"origin": guarded.url})
    assert "planted" not in signed.headers["set-cookie"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"token": 7},
        {"token": "x" * 201},
        {"token": "x", "name": "a\nb"},
        {"token": "x", "a": 1},
    ],
)
def test_a_malformed_sign_in_is_refused(guarded: Served, given: dict[str, object]) -> None:
    with guarded.client() as client:
        assert client.post("/api/session", json=given).status_code == 422


def test_names_that_were_given_are_this_hosts(guarded: Served) -> None:
    with guarded.client(authorization=f"Bearer {TOKEN}", host="scans.example") as client:
        assert client.get(SCAN).status_code == 200


def test_tokens_cannot_be_tried_out(tmp_path: Path) -> None:
    from darkscan.host.web import WebSettings
    from tests.host_web.conftest import host_in

    settings = WebSettings(("127.0.0.1", 0), token=TOKEN, token_everywhere=True)
    with host_in(tmp_path / "store", settings, examples=False) as host, host.client() as client:
        tried = [client.post("/api/session", json={"token": f"guess {n}"}) for n in range(4)]
        tried += [
            client.get("/api/scans", headers={"authorization": f"Bearer guess{n}"})
            for n in range(4)
        ]
        assert [answer.status_code for answer in tried] == [401] * 5 + [429] * 3
        right = client.post("/api/session", json={"token": TOKEN})
        assert right.status_code == 429
        assert 1 <= int(right.headers["retry-after"]) <= 60


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(served: Served) -> None:
    body = json.dumps(REVIEW).encode()
    head = f"POST {SCAN}/reviews HTTP/1.1\r\nHost: {served.host}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body) + 1}\r\n\r\n"
    with served.client() as client:
        before = len(client.get(f"{SCAN}/reviews").json()["reviews"])
        assert status(raw(served.port, head.encode() + body)) in {0, 400}
        assert len(client.get(f"{SCAN}/reviews").json()["reviews"]) == before
