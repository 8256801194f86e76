"""What is inspected here is nobody else's business: libraries report nothing to their makers."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

LOAD = {
    "onnxruntime": "onnxruntime.InferenceSession(sys.argv[1])",
    "openvino": "openvino.Core()",
}


@pytest.mark.parametrize("library", LOAD)
def test_a_library_leaves_no_identity_in_the_home_folder(library: str, tmp_path: Path) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    model = REPOSITORY / "models" / "windowed.onnx"
    code = f"import sys, darkscan, {library}; {LOAD[library]}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ORT_", "XDG_"))}
    subprocess.run(
        [sys.executable, "-c", code, str(model)],
        env={**environment, "HOME": str(tmp_path)},
        check=True,
        timeout=300,
    )
    assert not list(tmp_path.rglob("*"))


def test_who_wants_to_report_may() -> None:
    code = "import os, darkscan; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == "0\n"
