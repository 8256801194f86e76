"""The stream of events, as a page hears it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from darkscan.host.store import NewReview
from darkscan.pipeline.host_link.messages import News
from tests.host_examples import ExampleScan, parcel
from tests.host_web.conftest import Served
from tests.host_web.example_server import FINISHED, RIG

WAIT_S = 30


class Stream:
    """Server-sent events, as a browser would read them."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        self.last_id = ""

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event's kind and data; comments and bare ids are passed over."""
        kind, data = "", ""
        while True:
            name, value = self._field()
            if name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not name and kind:
                return kind, json.loads(data)

    def ready(self) -> None:
        """Waits for the first lines, which name the stream's place."""
        while not self.last_id:
            self._field()

    def _field(self) -> tuple[str, str]:
        """The next line's name and value."""
        name, _, value = next(self._lines).partition(": ")
        if name == "id":
            self.last_id = value
        return name, value


@contextmanager
def listening(served: Served, last_id: str = "") -> Iterator[Stream]:
    headers = {"last-event-id": last_id} if last_id else {}
    with served.client() as client, client.stream("GET", "/api/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer)
        stream.ready()
        yield stream


def test_a_scan_is_heard_from_its_beginning_to_its_end(served: Served) -> None:
    scan = ExampleScan(seed=50, grid=(2, 1), size_mm=(50, 30), defects=3, finest=2)
    with listening(served) as stream:
        served.store.receive(RIG, [parcel(scan.scan, scan.began())])
        kind, data = stream.next()
        assert (kind, data["scan"], data["state"]) == ("scan", scan.scan, "running")
        served.store.receive(RIG, [parcel(scan.scan, each) for each in scan.settled()])
        kind, data = stream.next()
        assert (kind, data["frames"]["mapped"]) == ("frames", 1)
        served.store.hear(RIG, News(scan=scan.scan, progress=scan.progress(2)))
        kind, data = stream.next()
        assert (kind, data["frames_per_s"]) == ("progress", 12.5)
        served.store.receive(RIG, [parcel(scan.scan, tile) for tile in scan.tiles()])
        kind, data = stream.next()
        assert kind == "tiles"
        assert [scan.pyramid.levels - 1, 0, 0, 1] in data["tiles"]
        served.store.receive(RIG, [parcel(scan.scan, scan.map_finished())])
        assert stream.next()[0] == "map"
        served.store.receive(RIG, [parcel(scan.scan, scan.ended())])
        kind, data = stream.next()
        assert (kind, data["state"]) == ("ended", "incomplete")


def test_a_page_that_was_away_hears_what_it_missed_and_nothing_twice(served: Served) -> None:
    def say(comment: str) -> None:
        review = NewReview(defect="D0002", verdict="open", comment=comment, name="Ada")
        served.store.review(FINISHED.scan, review)

    with listening(served) as stream:
        say("before")
        assert stream.next()[1]["comment"] == "before"
        seen = stream.last_id
    for comment in ("meanwhile", "and again"):
        say(comment)
    with listening(served, seen) as stream:
        assert [stream.next()[1]["comment"] for _ in range(2)] == ["meanwhile", "and again"]


def test_a_page_that_was_away_too_long_is_told_to_begin_anew(served: Served) -> None:
    for last_id in ("5", "9" * 15):
        with listening(served, last_id) as stream:
            kind, data = stream.next()
            assert (kind, data) == ("reset", {})


def test_an_id_that_is_none_is_as_none(served: Served) -> None:
    for last_id in ("nonsense", "-1", "9" * 400):
        with listening(served, last_id) as stream:
            assert stream.last_id.isdecimal()
            assert int(stream.last_id) > 10**12


def test_figures_count_those_who_listen(served: Served) -> None:
    with listening(served), served.client() as client:
        assert "darkscan_streams_open_count 1.0" in client.get("/metrics").text
    deadline = time.monotonic() + WAIT_S
    with served.client() as client:
        while "darkscan_streams_open_count 0.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
