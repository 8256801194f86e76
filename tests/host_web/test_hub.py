"""Events reach every page once, in order, and no page can hold up the host."""

import asyncio
import threading
import time

import pytest

from darkscan.host.store import StoreEvent
from darkscan.host.web._hub import EventHub

SCAN = "0" * 32


def event(number: int) -> StoreEvent:
    return StoreEvent("frames", SCAN, {"revision": number})


def test_events_come_in_order_with_rising_numbers() -> None:
    hub = EventHub()
    before = hub.last
    for number in range(3):
        hub.publish(event(number))
    batch = hub.after(before)
    assert batch is not None
    assert batch.last == hub.last == before + 3
    assert batch.data.decode().split("\n\n")[:3] == [
        f'id: {before + 1 + number}\nevent: frames\ndata: {{"scan":"{SCAN}","revision":{number}}}'
        for number in range(3)
    ]


def test_a_page_reads_on_where_it_was() -> None:
    hub = EventHub()
    hub.publish(event(1))
    seen = hub.last
    hub.publish(event(2))
    batch = hub.after(seen)
    assert batch is not None
    assert b'"revision":2' in batch.data
    assert b'"revision":1' not in batch.data
    assert hub.after(batch.last) == (b"", batch.last)


@pytest.mark.parametrize(
    "position", ["before the oldest kept", "of an earlier start of the host", "in the future"]
)
def test_a_position_that_is_no_longer_kept_is_told_so(position: str) -> None:
    hub = EventHub(kept=5)
    first = hub.last
    for number in range(20):
        hub.publish(event(number))
    at = {"before the oldest kept": first + 14, "of an earlier start of the host": first - 10**6}
    assert hub.after(at.get(position, hub.last + 1)) is None
    kept = hub.after(first + 15)
    assert kept is not None
    assert kept.last == hub.last


def test_many_events_are_handed_out_in_parts_and_none_is_missing() -> None:
    hub = EventHub()
    position = hub.last
    for number in range(1234):
        hub.publish(event(number))
    found = b""
    while (batch := hub.after(position)) is not None and batch.data:
        assert batch.data.count(b"event:") <= 500
        found, position = found + batch.data, batch.last
    assert found.count(b"event:") == 1234


def test_publishing_is_quick_whether_anybody_listens_or_not() -> None:
    """A thousand waiting pages cost the receiving thread one call."""

    async def listen() -> float:
        hub = EventHub()
        hub.serve(asyncio.get_running_loop())
        waiting = [asyncio.create_task(hub.wait(hub.last, 30)) for _ in range(1000)]
        await asyncio.sleep(0)
        spent = []

        def publish() -> None:
            began = time.thread_time()
            for number in range(100):
                hub.publish(event(number))
            spent.append(time.thread_time() - began)

        thread = threading.Thread(target=publish)
        thread.start()
        await asyncio.gather(*waiting)
        thread.join()
        return spent[0]

    assert asyncio.run(listen()) < 1


def test_closing_ends_every_wait() -> None:
    async def listen() -> None:
        hub = EventHub()
        hub.serve(asyncio.get_running_loop())
        waiting = asyncio.create_task(hub.wait(hub.last, 600))
        await asyncio.sleep(0)
        threading.Thread(target=hub.close).start()
        await asyncio.wait_for(waiting, 30)
        await asyncio.wait_for(hub.wait(hub.last, 600), 30)

    asyncio.run(listen())


def test_events_after_the_end_of_the_loop_do_no_harm() -> None:
    hub = EventHub()

    async def attach() -> None:
        hub.serve(asyncio.get_running_loop())

    asyncio.run(attach())
    hub.publish(event(1))
    hub.close()
