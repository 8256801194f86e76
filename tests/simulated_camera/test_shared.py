"""The memory that the simulated camera shares."""

import ctypes
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.simulation.rig._shared import Head, Look, SharedRig
from darkscan.simulation.rig.build import SOURCES
from tests.simulated_camera.cameras import area_look, line_look, numbered_canvas

CANVAS = numbered_canvas(40, 50)


def test_what_one_process_writes_another_reads(tmp_path: Path) -> None:
    rig = SharedRig.create(tmp_path / "rig", area_look(), CANVAS)
    other = SharedRig.attach(tmp_path / "rig")
    np.testing.assert_array_equal(other.canvas, CANVAS)
    assert other.light
    rig.light = False
    assert other.light == rig.light
    other.canvas[3, 4] = 77
    assert rig.canvas[3, 4] == 77
    rig.trigger(1, (0.0, 0.0, 0.0))
    assert other.counters.triggers_ignored == 1
    rig.close()
    other.close()


def test_the_file_is_left_to_who_made_it(tmp_path: Path) -> None:
    rig = SharedRig.create(tmp_path / "rig", line_look(), CANVAS)
    rig.close()
    assert (tmp_path / "rig").is_file()
    with pytest.raises(StorageError, match="cannot be written: File exists"):
        SharedRig.create(tmp_path / "rig", line_look(), CANVAS)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no file"),
        pytest.param(b"", id="empty"),
        pytest.param(b"short", id="short"),
        pytest.param(b"x" * 1_000_000, id="something else"),
    ],
)
def test_a_file_that_is_no_shared_rig_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "rig"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="is no shared rig"):
        SharedRig.attach(path)


def test_no_room_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="No space left"):
        SharedRig.create(tmp_path / "rig", area_look(), CANVAS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"gains": np.ones((3, 3), np.float32)}, "sensor's shape", id="gains' shape"),
        pytest.param({"hot": np.zeros((256, 256))}, "must be float32", id="hot pixels' type"),
        pytest.param({"noise": np.ones((3, 4), np.float32)}, "square", id="noise not square"),
        pytest.param({"to_canvas": np.eye(2)}, r"\(2, 3\)", id="no affine"),
        pytest.param({"encoder_step_mm": 0.0}, "must not be 0", id="no encoder step"),
        pytest.param({"kind": "line"}, "one row", id="line with many rows"),
    ],
)
def test_a_look_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    look: Look = replace(area_look(), **change)
    with pytest.raises(ValueError, match=problem):
        SharedRig.create(tmp_path / "rig", look, CANVAS)
    assert not list(tmp_path.iterdir())


def test_the_layout_in_c_is_that_in_python(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    names = [field[0] for field in Head._fields_]
    prints = "".join(f'printf("%zu\\n", offsetof(struct rig, {name}));' for name in names)
    source = tmp_path / "offsets.c"
    source.write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "rig.h"\n'
        f'int main(void) {{ {prints} printf("%zu\\n", sizeof(struct rig)); }}\n'
    )
    program = tmp_path / "offsets"
    subprocess.run([compiler, "-I", SOURCES, source, "-o", program], check=True)
    said = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    offsets = [getattr(Head, name).offset for name in names]
    assert [int(word) for word in said] == [*offsets, ctypes.sizeof(Head)]
