"""Searches for a motor record's fields."""

import asyncio

from darkscan.drivers.motion._channel_access import missing, read_only
from darkscan.drivers.motion.errors import AbsentError
from darkscan.drivers.motion.record_state import ALL_FIELDS, ORDERS, REQUIRED
from darkscan.pipeline.core.errors import InputError

_GRACE_S = 2.0
"""So much longer is searched for what a record may lack, when all else has answered."""


async def find_record(record: str, seconds: float, setting: str) -> frozenset[str]:
    """Waits for a record's fields; gives those that it lacks, and may lack.

    Raises InputError with the rig file's ``setting``: AbsentError where the record is not there;
    one that it must have is missing, or may not be written.
    """

    def name_of(field: str) -> str:
        return f"{record}.{field}"

    others = [field for field in ALL_FIELDS if field not in REQUIRED]
    searching = {
        asyncio.ensure_future(missing([name_of(field)], seconds=seconds + _GRACE_S)): field
        for field in others
    }
    try:
        lost = await missing([name_of(field) for field in REQUIRED], seconds=seconds)
        if len(lost) == len(REQUIRED):
            raise not_there(record, seconds, setting)
        if lost:
            problem = (
                f"{lost[0]} does not answer within {seconds:g} s though {record} does: "
                "every motor record has that field"
            )
            raise InputError(problem, field=setting)
        found, _ = await asyncio.wait(searching, timeout=_GRACE_S)
        there = {searching[task] for task in found if not task.result()}
    finally:
        for task in searching:
            task.cancel()
    for name in await read_only([name_of(field) for field in ORDERS]):
        problem = f"{name} may not be written from here: access security forbids it"
        raise InputError(problem, field=setting)
    return frozenset(others) - there


def not_there(record: str, seconds: float, setting: str) -> AbsentError:
    """The error for a record that does not answer."""
    return AbsentError(f"record {record} does not answer within {seconds:g} s", field=setting)
