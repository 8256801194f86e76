"""How the shared rig lies in memory; producer/rig.h says the same in C."""

import ctypes

MAGIC = 0x3130_4749_5253_4B44  # "DKSRIG01"
RING = 4096
"""Tellings and triggers that are kept. A telling every 5 ms fills the ring in 20 s."""

PAGE = 4096


class Moment(ctypes.Structure):
    """Where the axes stood at a time."""

    time_ns: int
    position: "ctypes.Array[ctypes.c_double]"

    _fields_ = (("time_ns", ctypes.c_int64), ("position", ctypes.c_double * 3))


class Head(ctypes.Structure):
    """What stands at the start of the file. Every word has one writer.

    ``*_asked`` is written by the simulation and ``*_done`` by the camera; both only grow.
    ``plug`` is odd while the camera is unplugged and counts pluggings and unpluggings.
    """

    magic: int
    size: int
    line_scan: int
    encoder_axis: int
    encoder_step_mm: float
    to_canvas: "ctypes.Array[ctypes.c_double]"
    sensor_height: int
    sensor_width: int
    canvas_height: int
    canvas_width: int
    noise_side: int
    noise_gain: float
    noise_offset: float
    noise_floor: float
    gains_at: int
    hot_at: int
    noise_at: int
    canvas_at: int
    light: int
    plug: int
    drop_asked: int
    incomplete_asked: int
    skip_asked: int
    moves_told: int
    triggers_fired: int
    acquiring: int
    triggers_seen: int
    triggers_ignored: int
    drop_done: int
    incomplete_done: int
    skip_done: int
    frames: int
    lines: int
    underruns: int
    moves: "ctypes.Array[Moment]"
    triggers: "ctypes.Array[Moment]"

    _fields_ = (
        ("magic", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        # The look, written once.
        ("line_scan", ctypes.c_uint64),
        ("encoder_axis", ctypes.c_uint64),
        ("encoder_step_mm", ctypes.c_double),
        ("to_canvas", ctypes.c_double * 6),
        ("sensor_height", ctypes.c_uint64),
        ("sensor_width", ctypes.c_uint64),
        ("canvas_height", ctypes.c_uint64),
        ("canvas_width", ctypes.c_uint64),
        ("noise_side", ctypes.c_uint64),
        ("noise_gain", ctypes.c_double),
        ("noise_offset", ctypes.c_double),
        ("noise_floor", ctypes.c_double),
        ("gains_at", ctypes.c_uint64),
        ("hot_at", ctypes.c_uint64),
        ("noise_at", ctypes.c_uint64),
        ("canvas_at", ctypes.c_uint64),
        # Written by the simulation.
        ("light", ctypes.c_uint64),
        ("plug", ctypes.c_uint64),
        ("drop_asked", ctypes.c_uint64),
        ("incomplete_asked", ctypes.c_uint64),
        ("skip_asked", ctypes.c_uint64),
        ("moves_told", ctypes.c_uint64),
        ("triggers_fired", ctypes.c_uint64),
        # Written by the camera.
        ("acquiring", ctypes.c_uint64),
        ("triggers_seen", ctypes.c_uint64),
        ("triggers_ignored", ctypes.c_uint64),
        ("drop_done", ctypes.c_uint64),
        ("incomplete_done", ctypes.c_uint64),
        ("skip_done", ctypes.c_uint64),
        ("frames", ctypes.c_uint64),
        ("lines", ctypes.c_uint64),
        ("underruns", ctypes.c_uint64),
        # Written by the simulation, oldest overwritten.
        ("moves", Moment * RING),
        ("triggers", Moment * RING),
    )
