"""Bad input: one line that names file and field, exit code 2, nothing half-written."""

import errno
import os
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import cv2
import h5py
import numpy as np
import onnx
import pytest

from darkscan.cli.main import main
from darkscan.drivers.recording import RecordingWriter
from tests.builders import frame_meta, scan_info
from tests.recording.samples import without_checksums
from tests.stages.running import darkscan, record_small_scan

Change = Callable[[h5py.File], None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "scan.h5"
    record_small_scan(path, columns=1)
    return path


@pytest.fixture
def refused(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., str]:
    """Runs a command that must be refused; gives the line it printed."""
    shared_memory = tmp_path_factory.mktemp("shm")
    monkeypatch.setattr("darkscan.pipeline.running.specification.SHARED_MEMORY", shared_memory)

    def run(*arguments: object, out: Path | None = None) -> str:
        out = out or tmp_path / "out"
        before = sorted(out.rglob("*")) if out.exists() else None
        assert main([*map(str, arguments), "--out", str(out)]) == 2
        printed = capsys.readouterr()
        lines = printed.err.strip().splitlines()
        assert len(lines) == 1, printed.err
        assert printed.out == ""
        assert (sorted(out.rglob("*")) if out.exists() else None) == before
        assert list(shared_memory.iterdir()) == []
        return lines[0]

    return run


def _drop_positions(file: h5py.File) -> None:
    del file["/frames/position_mm"]


def _float_pixels(file: h5py.File) -> None:
    shape = file["/frames/pixels"].shape
    del file["/frames/pixels"]
    file.create_dataset("/frames/pixels", shape, "f4")


def _unequal_frames(file: h5py.File) -> None:
    rows = file["/frames/pixels"].shape[0]
    del file["/frames/pixels"]
    file.create_dataset("/frames/pixels", (rows, 512, 500), "u1")


def _negative_pitch(file: h5py.File) -> None:
    file["/scan"].attrs["pitch_um"] = -10.0


def _nan_pitch(file: h5py.File) -> None:
    file["/scan"].attrs["pitch_um"] = float("nan")


def _nan_position(file: h5py.File) -> None:
    file["/frames/position_mm"][1] = np.nan


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param(_drop_positions, "position_mm", id="no positions"),
        pytest.param(_float_pixels, "pixels", id="wrong pixel type"),
        pytest.param(_unequal_frames, "pixels", id="frames of unequal size"),
        pytest.param(_negative_pitch, "pitch_um", id="negative pitch"),
        pytest.param(_nan_pitch, "pitch_um", id="pitch is no number"),
        pytest.param(_nan_position, "position_mm", id="a position is no number"),
    ],
)
def test_refuses_a_spoilt_recording(
    good: Path, tmp_path: Path, refused: Callable[..., str], change: Change, field: str
) -> None:
    spoilt = tmp_path / "spoilt.h5"
    shutil.copy(good, spoilt)
    with h5py.File(without_checksums(spoilt), "r+") as file:
        change(file)
    line = refused("replay", spoilt)
    assert line.startswith(f"darkscan: error: {spoilt}: ")
    assert field in line


def test_refuses_what_is_no_recording(tmp_path: Path, refused: Callable[..., str]) -> None:
    text = tmp_path / "notes.h5"
    text.write_text("not a recording")
    assert str(text) in refused("replay", text)
    assert "No such file" in refused("replay", tmp_path / "nothing.h5")
    assert str(tmp_path) in refused("replay", tmp_path)


@pytest.mark.parametrize("size", [60, 1000, 3000])
def test_refuses_a_recording_truncated_before_its_frames(
    good: Path, tmp_path: Path, refused: Callable[..., str], size: int
) -> None:
    cut = tmp_path / "cut.h5"
    cut.write_bytes(good.read_bytes()[:size])
    assert refused("replay", cut).startswith(f"darkscan: error: {cut}: is cut short: ")


def test_refuses_frames_smaller_than_a_window(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = tmp_path / "small.h5"
    info = scan_info(frame_shape=(200, 300), frames=1)
    with RecordingWriter(path, info, [frame_meta(0)]) as writer:
        writer.write(frame_meta(0), np.zeros((200, 300), np.uint8))
    assert refused("replay", path) == (
        f"darkscan: error: {path}: frame_shape: "
        "a frame of 200 pixels is smaller than a window of 256"
    )


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        pytest.param("[inspection]\nwindw = 3", "did you mean 'window'?", id="misspelt key"),
        pytest.param("[inspection]\nwindow = 128\nstride = 64", "window 256", id="another window"),
        pytest.param('[inspection]\nmodel = "none.onnx"', "no such model file", id="no model"),
        pytest.param('[inspection]\nmodel = "recipe.toml"', "no ONNX model", id="a text as model"),
    ],
)
def test_refuses_a_recipe_that_cannot_be_followed(
    good: Path, tmp_path: Path, refused: Callable[..., str], recipe: str, expected: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(recipe)
    assert expected in refused("replay", good, "--recipe", path)


def test_refuses_a_model_of_another_kind(
    good: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    graph = onnx.helper.make_graph([node], "other", value[:1], value[1:])
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "o.onnx"
    )
    (tmp_path / "recipe.toml").write_text('[inspection]\nmodel = "o.onnx"')
    assert "has inputs x" in refused("replay", good, "--recipe", tmp_path / "recipe.toml")


def test_refuses_a_model_without_its_conventions(
    good: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    model = onnx.load(str(files("darkscan") / "models" / "default.onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    (tmp_path / "recipe.toml").write_text('[inspection]\nmodel = "bare.onnx"')
    assert "darkscan.format" in refused("replay", good, "--recipe", tmp_path / "recipe.toml")


def test_refuses_a_folder_with_other_results(
    good: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    out = tmp_path / "results"
    out.mkdir()
    (out / "defect-map.json").write_text("{}")
    assert "another run's results" in refused("replay", good, out=out)
    (out / "defect-map.json").rename(out / "thesis.tex")
    assert "not empty (holds 'thesis.tex')" in refused("replay", good, out=out)
    file = tmp_path / "file"
    file.touch()
    assert "Not a directory" in refused("replay", good, out=file)


@pytest.mark.parametrize("workers", ["0", "-1", "1000"])
def test_refuses_impossible_numbers_of_workers(
    good: Path, refused: Callable[..., str], workers: str
) -> None:
    assert "--workers" in refused("replay", good, "--workers", workers)


def test_refuses_a_ring_larger_than_shared_memory(
    good: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.pipeline.transport.ring.ring_bytes", lambda *_: 2**50)
    line = refused("replay", good)
    assert "too small for a ring of 8 frames: 1073741824 MiB are needed" in line


@pytest.mark.parametrize("pitch", ["0", "-10", "nan", "inf", "1e300", "0.0001"])
def test_refuses_a_pitch_that_is_none(
    tmp_path: Path, refused: Callable[..., str], pitch: str
) -> None:
    out = tmp_path / "scan.h5"
    assert "--pitch-um" in refused("simulate", f"--pitch-um={pitch}", out=out)


@pytest.mark.parametrize("size", ["1.5x2", "0x3", "3", "axb", "-1x2", "1x2x3"])
def test_refuses_a_size_that_is_none(
    tmp_path: Path, refused: Callable[..., str], size: str
) -> None:
    assert "--frames" in refused("simulate", f"--frames={size}", out=tmp_path / "scan.h5")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--size-mm", "99999999x3"),
        ("--frames", "100000x1"),
        ("--frame", "100"),
        ("--seed", "-1"),
        ("--bit-depth", "17"),
    ],
)
def test_refuses_a_simulation_out_of_bounds(
    tmp_path: Path, refused: Callable[..., str], option: str, value: str
) -> None:
    line = refused("simulate", f"{option}={value}", out=tmp_path / "scan.h5")
    assert line.startswith(f"darkscan: error: {option}: must ")


def test_simulate_leaves_no_scan_without_its_truth(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "scan.truth.json").mkdir()
    refused("simulate", "--force", out=tmp_path / "scan.h5")
    assert not (tmp_path / "scan.h5").exists()


def test_an_import_never_overwrites_an_image(tmp_path: Path, refused: Callable[..., str]) -> None:
    image = tmp_path / "plate.png"
    cv2.imwrite(str(image), np.zeros((300, 300), np.uint8))
    before = image.read_bytes()
    line = refused("import", image, "--pitch-um", "10", "--force", out=image)
    assert "is no recording" in line
    assert image.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--side", "back\x07", "--pitch-um", "10"), "side"),
        (("--element", "two\nlines", "--pitch-um", "10"), "element"),
        (("--pitch-um", "1e300"), "--pitch-um"),
        (("--pitch-um", "0.0001"), "--pitch-um"),
    ],
)
def test_refuses_an_import_that_no_map_could_show(
    tmp_path: Path, refused: Callable[..., str], options: tuple[str, ...], field: str
) -> None:
    image = tmp_path / "plate.png"
    cv2.imwrite(str(image), np.zeros((300, 300), np.uint8))
    assert field in refused("import", image, *options, out=tmp_path / "scan.h5")


@pytest.mark.slow
def test_a_full_disk_ends_a_run_without_half_a_map(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    record_small_scan(tmp_path / "scan.h5")
    (tmp_path / "recipe.toml").write_text("[processes]\nring_slots = 2")
    out = tmp_path / "out"
    command = ("replay", tmp_path / "scan.h5", "--out", out)
    recipe = tmp_path / "recipe.toml"
    done = darkscan(*command, "--recipe", recipe, check=2, largest_file=2**20)
    last = done.stderr.strip().splitlines()[-1]
    assert last == f"darkscan: error: {out}/journal: cannot be written: File too large"
    assert {entry.name for entry in out.iterdir()} == {"log.jsonl", "journal", "resume.json"}


def test_a_fault_of_the_machine_is_one_line(
    good: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_processes(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("darkscan.pipeline.running.supervisor.subprocess.Popen", no_processes)
    out = tmp_path / "out"
    assert main(["replay", str(good), "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == "darkscan: error: [Errno 11] Resource temporarily unavailable"
    assert {entry.name for entry in out.iterdir()} == {"log.jsonl"}


def test_a_full_disk_leaves_no_half_recording(tmp_path: Path) -> None:
    done = darkscan("simulate", "--out", tmp_path / "scan.h5", check=2, largest_file=2**20)
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "cannot be written" in done.stderr
    assert list(tmp_path.iterdir()) == []
