"""Simulated elements whose seeds nothing was tuned on: inspected, and held against their truth."""

from collections.abc import Callable, Sequence

from darkscan.network.evaluation.elements import Compared
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.runs.in_process import ExamineFrame, inspect_traced
from darkscan.simulation.element import (
    PRESETS,
    ElementTruth,
    SimulatedScan,
    simulate_element,
    size_of_patch,
)
from darkscan.simulation.element.comparison import compare

FRAMES = (2, 2)
"""Columns and rows of frames that a simulated element takes."""

MOST_ELEMENTS = 1000
"""Of a preset: their seeds follow each other."""

_FIRST_SEED = 700_001  # apart from the seeds that people and trainings use


def simulated_elements(
    count: int, presets: Sequence[str], first_seed: int = _FIRST_SEED
) -> list[ElementTruth]:
    """The truths of ``count`` elements of each preset, preset by preset, of 2x2 frames.

    Their seeds are ``first_seed`` and those that follow it; a thousand further on for each
    preset in the order of ``PRESETS``, so that a preset's elements do not depend on the others.
    """
    known = list(PRESETS)
    return [
        simulate_element(
            size_of_patch(FRAMES), first_seed + MOST_ELEMENTS * known.index(preset) + number, preset
        )
        for preset in presets
        for number in range(count)
    ]


def compare_elements(
    truths: Sequence[ElementTruth],
    examine: ExamineFrame,
    model: ModelInfo,
    show: Callable[[int, int], None],
) -> list[Compared]:
    """The map of each simulated element, held against its truth.

    ``show`` is told how many frames are done, and how many there are.
    """
    scans = [SimulatedScan(truth) for truth in truths]
    total = sum(len(scan.frames) for scan in scans)
    compared: list[Compared] = []
    begun = 0
    for truth, scan in zip(truths, scans, strict=True):

        def one_more(done: int, begun: int = begun) -> None:
            show(begun + done, total)

        found = inspect_traced(scan, examine, model, one_more)
        compared.append(Compared(truth, found, compare(truth, found)))
        begun += len(scan.frames)
    return compared
