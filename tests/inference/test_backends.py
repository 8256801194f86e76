"""What backends share: the same scores as ONNX Runtime's, whatever the threads and batches."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from darkscan.inference import (
    Backend,
    FrameFormat,
    ModelJob,
    Placement,
    open_backend,
    read_conventions,
    see,
)
from darkscan.inference.conventions import Precision
from darkscan.inference.frame_windows import part_of
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import PixelType
from tests.conftest import REPOSITORY
from tests.inference.models import FULL_SCALE, frame_windows, logits, small_dense, windows_of
from tests.rounding import assert_same_but_for_rounding

SHIPPED = sorted((REPOSITORY / "models").glob("*.onnx"))
INT8_TOLERANCE = 1.0  # in logits: backends round to eight bits in ways of their own
FRAMES = FrameFormat((512, 384), "uint8", 255)
CPU_BACKENDS = ("onnxruntime", "openvino", "torch")


@contextmanager
def opened(
    name: str, model: Path, *, threads: int = 1, batch: int = 4, precision: Precision = "exact"
) -> Iterator[Backend]:
    job = ModelJob.read(model, FRAMES, precision=precision)
    backend = open_backend(job, Placement(name, threads=threads, batch=batch))
    yield backend
    backend.close()


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
@pytest.mark.parametrize("model", [*SHIPPED, None], ids=lambda m: m.stem if m else "small dense")
def test_all_backends_see_the_same(
    model: Path | None, pixel_type: PixelType, dense_model: Path
) -> None:
    model = model or dense_model
    windows, full_scale = frame_windows(pixel_type=pixel_type), FULL_SCALE[pixel_type]
    exact = read_conventions(model).precision == "float32"
    with opened("onnxruntime", model) as reference:
        expected = see(reference, windows, full_scale)
    assert logits(expected).std() > 0.002, "else it would be no test"
    for name in CPU_BACKENDS[1:]:
        with opened(name, model) as backend:
            seen = see(backend, windows, full_scale)
        if not exact:
            difference = logits(seen) - logits(expected)
            assert np.abs(difference).max() < INT8_TOLERANCE
            continue
        assert_same_but_for_rounding(logits(seen), logits(expected))
        if expected.lines is not None:
            assert seen.lines is not None
            assert_same_but_for_rounding(seen.lines, expected.lines)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("model", ["windowed", "dense"])
def test_scores_depend_on_nothing_but_the_frame(name: str, model: str, dense_model: Path) -> None:
    path = REPOSITORY / "models" / "windowed.onnx" if model == "windowed" else dense_model
    windows, others = frame_windows(), frame_windows(seed=3)
    seen = []
    for threads, batch in ((1, 4), (2, 32), (3, 1)):
        with opened(name, path, threads=threads, batch=batch) as backend:
            see(backend, others, 255)
            seen.append(see(backend, windows, 255))
    for other in seen[1:]:
        np.testing.assert_array_equal(other.scores, seen[0].scores)
        np.testing.assert_array_equal(other.lines, seen[0].lines)


@pytest.mark.parametrize("name", CPU_BACKENDS)
def test_a_dense_frame_is_passed_whole(name: str, dense_model: Path) -> None:
    passes = []
    with opened(name, dense_model, batch=1) as backend:
        pending = backend.start(frame_windows(), 255, between_batches=lambda: passes.append(1))
        assert len(pending().scores) == 6
    assert passes == [1]


@pytest.mark.parametrize("name", CPU_BACKENDS)
def test_a_windowed_frame_is_passed_in_batches(name: str) -> None:
    passes = []
    with opened(name, REPOSITORY / "models" / "windowed.onnx", batch=3) as backend:
        backend.start(frame_windows(), 255, between_batches=lambda: passes.append(1))()
    assert passes == [1, 1]


@pytest.mark.parametrize("name", CPU_BACKENDS)
def test_frames_of_any_size_read_only_and_without_windows(name: str, dense_model: Path) -> None:
    frame = frame_windows((400, 300)).frame
    frame.flags.writeable = False
    windows = windows_of(frame)
    with opened(name, dense_model) as backend:
        assert len(see(backend, windows, 255).scores) == len(windows.origins) == 6
        assert len(see(backend, part_of(windows, 0, 0), 255).scores) == 0


def test_half_precision_is_near(dense_model: Path) -> None:
    windows = frame_windows()
    with opened("openvino", dense_model, precision="half") as half:
        seen = see(half, windows, 255)
    with opened("openvino", dense_model) as exact:
        expected = see(exact, windows, 255)
    np.testing.assert_allclose(seen.scores, expected.scores, atol=0.05)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_waiting_backends_leave_the_cores_to_others(name: str, dense_model: Path) -> None:
    with opened(name, dense_model, threads=4) as backend:
        see(backend, frame_windows(), 255)
        for _ in range(20):  # threads may look around for a moment before they sleep
            before = time.process_time()
            time.sleep(0.2)
            if time.process_time() - before < 0.02:
                return
    pytest.fail("its threads are busy with nothing")


@pytest.mark.parametrize("name", CPU_BACKENDS)
def test_files_that_are_no_models(name: str, tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    for file, problem in ((text, "no ONNX model"), (tmp_path / "none.onnx", "no such model")):
        with pytest.raises(InputError, match=problem), opened(name, file):
            pass


def test_torch_names_operators_it_does_not_know(tmp_path: Path) -> None:
    model = small_dense(tmp_path / "strange.onnx", changed="Softsign")
    with pytest.raises(InputError, match="does not know its operators Softsign"):
        open_backend(ModelJob.read(model, FRAMES), Placement("torch"))


def test_a_backend_that_does_not_exist(dense_model: Path) -> None:
    with (
        pytest.raises(InputError, match=r"processes\.backend: must be one of"),
        opened("abacus", dense_model),
    ):
        pass


def test_half_precision_leaves_a_deep_cameras_grey_levels_alone() -> None:
    """On a pedestal of 2000 of 4095, bfloat16 would know levels to the nearest 8."""
    model = REPOSITORY / "models" / "windowed.onnx"
    frame = frame_windows(pixel_type="uint16").frame // 2 + np.uint16(2000)
    windows = windows_of(frame)
    with opened("openvino", model) as backend:
        exact = see(backend, windows, 4095)
    with opened("openvino", model, precision="half") as backend:
        half = see(backend, windows, 4095)
    np.testing.assert_allclose(half.scores, exact.scores, atol=1e-4)
