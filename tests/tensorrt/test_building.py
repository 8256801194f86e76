"""Engines are built once, kept whole, and said to be refused in one line."""

import dataclasses
import json
import os
import threading
from pathlib import Path

import pytest

from darkscan.inference.tensorrt import (
    Engine,
    Order,
    Shapes,
    Step,
    Watch,
    engines_in,
    load_library,
    make_engine,
    run_watched,
)
from darkscan.pipeline.core.errors import DarkscanError, InputError, StorageError
from tests.tensorrt import fake_tensorrt
from tests.tensorrt.conftest import GPU_0, job_of, write_model
from tests.tensorrt.fake_gpu import Gpu

NO_WINDOWS = "0123456789ab_gpu-sm90_tensorrt-11.4_256x256x1_0_fp32.engine"


@pytest.fixture
def order(tmp_path: Path, gpu: Gpu) -> Order:
    return Order(job_of(write_model(tmp_path / "model.onnx"), (2048, 2048)), "fp32")


def plan(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_bytes()))


def test_an_engine_is_for_one_shape_and_true_float32(order: Order, tmp_path: Path) -> None:
    order = dataclasses.replace(order, workspace=1 << 30)
    made = make_engine(load_library(), GPU_0, order, tmp_path / "engines")
    built = plan(made.path)
    assert built["shapes"] == {
        "frame": [2048, 2048, 1],
        "origins": [225, 2],
        "gains": [225],
        "offsets": [225],
    }
    assert built["tf32"] is False
    assert built["workspace"] == 1 << 30


def test_a_name_says_all_that_an_engine_is_for(order: Order, tmp_path: Path) -> None:
    made = make_engine(load_library(), GPU_0, order, tmp_path)
    assert made.path.name.endswith(
        "_nvidia-test-gpu-sm90_tensorrt-11.4.0.106_2048x2048x1_225_fp32.engine"
    )
    assert Engine.from_file_name(made.path.name) == made.engine
    assert [path for path, _ in engines_in(tmp_path)] == [made.path]


@pytest.mark.parametrize("name", ["timings_x.cache", "a.engine", "", "x" * 300, NO_WINDOWS])
def test_other_files_are_no_engines(name: str) -> None:
    assert Engine.from_file_name(name) is None


def test_a_second_time_it_is_there_already(order: Order, tmp_path: Path) -> None:
    library = load_library()
    first = make_engine(library, GPU_0, order, tmp_path)
    os.utime(first.path, (1, 1))
    second = make_engine(library, GPU_0, order, tmp_path)
    assert (first.anew, second.anew) == (True, False)
    assert second.path == first.path
    assert second.path.stat().st_mtime > 1  # so it is the last again
    assert make_engine(library, GPU_0, order, tmp_path, force=True).anew


def test_timings_are_kept_for_the_next_building(order: Order, tmp_path: Path) -> None:
    for _ in range(2):
        make_engine(load_library(), GPU_0, order, tmp_path, force=True)
    (kept,) = tmp_path.glob("timings_*.cache")
    assert kept.read_bytes() == b"timings++"


def test_timings_of_another_machine_are_begun_anew(order: Order, tmp_path: Path) -> None:
    make_engine(load_library(), GPU_0, order, tmp_path)
    (kept,) = tmp_path.glob("timings_*.cache")
    kept.write_bytes(b"strange")
    make_engine(load_library(), GPU_0, order, tmp_path, force=True)
    assert kept.read_bytes() == b"timings+"


def test_a_refused_node_is_named(gpu: Gpu, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx", extra=fake_tensorrt.REFUSED)
    says = r"model.onnx: is refused by tensorrt: Nonsense node_7: Plugin not found, are the"
    order = Order(job_of(model, (256, 256)), "fp32")
    with pytest.raises(InputError, match=says) as caught:
        make_engine(load_library(), GPU_0, order, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_eight_bits_for_cpus_are_refused(gpu: Gpu, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx", precision="int8", quantised_for="cpu")
    with pytest.raises(InputError, match="--target tensorrt makes another"):
        Order(job_of(model, (256, 256)), "fp32").shapes()


def test_a_stopped_building_leaves_nothing(order: Order, tmp_path: Path) -> None:
    watch = Watch()
    watch.stop()
    with pytest.raises(DarkscanError, match=r"built no engine: BuildCanceled \(by user\)$"):
        make_engine(load_library(), GPU_0, order, tmp_path / "out", watch=watch)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(order: Order, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="out"):
        make_engine(load_library(), GPU_0, order, tmp_path / "out")


def test_watched_work_is_told_of_and_its_result_given_back() -> None:
    told: list[Step] = []
    seen = threading.Event()

    def work(watch: Watch) -> str:
        watch.begin("outer", 10)
        watch.begin("inner", 5)
        watch.advance("inner", 2)
        watch.advance("outer", 3)
        assert seen.wait(30)
        watch.end("inner")
        watch.end("outer")
        return "done"

    def tell(step: Step) -> None:
        told.append(step)
        seen.set()

    assert run_watched(work, tell) == "done"
    assert told[0] == Step("outer", 4, 10)


def test_ctrl_c_stops_the_work_and_is_passed_on() -> None:
    stopped = threading.Event()

    def work(watch: Watch) -> None:
        watch.begin("building", 1)
        while watch.advance("building", 0):
            pass
        stopped.set()

    def interrupt(_: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_watched(work, interrupt)
    assert stopped.is_set()


def test_what_the_work_raises_is_raised() -> None:
    def work(_: Watch) -> None:
        raise DarkscanError("no")

    with pytest.raises(DarkscanError, match=r"^no$"):
        run_watched(work, lambda _: None)


@pytest.mark.parametrize(
    ("shape", "form", "margin_px", "shapes"),
    [
        pytest.param((2048, 2048), "windowed", 0, Shapes(2048, 2048, 1, 225), id="one pass"),
        pytest.param((4096, 4096), "windowed", 0, Shapes(4096, 4096, 1, 256), id="four passes"),
        pytest.param((2048, 2048), "dense", 0, Shapes(2048, 2048, 1, 225), id="dense"),
        pytest.param((2048, 2048), "dense", 128, Shapes(2304, 2304, 1, 225), id="with margin"),
        pytest.param((1200, 1920), "dense", 0, Shapes(1280, 1920, 1, 126), id="enlarged"),
    ],
)
def test_shapes(
    gpu: Gpu, tmp_path: Path, shape: tuple[int, int], form: str, margin_px: int, shapes: Shapes
) -> None:
    model = write_model(tmp_path / "model.onnx", form=form)
    assert Order(job_of(model, shape, margin_px=margin_px), "fp32").shapes() == shapes


def test_a_finer_stride_has_more_windows_and_a_coarser_one_is_refused(
    gpu: Gpu, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model.onnx", form="dense")
    fine = Order(job_of(model, (2048, 2048), stride=64), "fp32")
    assert fine.shapes() == Shapes(2048, 2048, 1, 841)
    with pytest.raises(InputError, match="the model has stride 128, wanted is 256"):
        Order(job_of(model, (2048, 2048), stride=256), "fp32").shapes()


def test_passes_begin_at_addresses_that_tensorrt_takes(gpu: Gpu, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx")
    for side in range(2100, 6000, 487):
        shapes = Order(job_of(model, (side, side)), "fp32").shapes()
        assert shapes.windows <= 256
        assert shapes.windows * 4 % 256 == 0
