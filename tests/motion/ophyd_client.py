"""Drives a motor record with ophyd-async's Motor: ``python -m tests.motion.ophyd_client``."""

import asyncio
import json
import sys

from aioca import purge_channel_caches
from ophyd_async.core import FlyMotorInfo, wait_for_value
from ophyd_async.epics.motor import Motor, MotorLimitsError

PATIENCE_S = 30.0


async def _drive(record: str) -> dict[str, object]:
    found: dict[str, object] = {}
    motor = Motor(record, name="x")
    await motor.connect(timeout=PATIENCE_S)
    found["description"] = (await motor.describe())["x"]["units"]

    await motor.set(40.0)
    found["moved to"] = await motor.user_readback.get_value()
    try:
        await motor.set(950.0)
    except MotorLimitsError as error:
        found["refused"] = str(error)

    status = motor.set(800.0)
    await wait_for_value(motor.user_readback, lambda place: place > 60.0, timeout=PATIENCE_S)
    await motor.stop(success=True)  # type: ignore[no-untyped-call]
    await status
    found["stopped at"] = await motor.user_readback.get_value()

    await motor.prepare(FlyMotorInfo(start_position=100.0, end_position=150.0, time_for_move=0.5))
    await motor.kickoff()
    found["velocity"] = await motor.velocity.get_value()
    await motor.complete()
    found["flown to"] = await motor.user_readback.get_value()
    return found


async def _main(record: str) -> None:
    try:
        found = await _drive(record)
    finally:
        purge_channel_caches()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
