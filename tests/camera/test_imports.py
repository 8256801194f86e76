"""Only the process that owns the camera loads the bindings."""

import subprocess
import sys


def test_what_others_need_loads_no_bindings() -> None:
    modules = ", ".join(
        f"darkscan.drivers.camera.{name}" for name in ("errors", "lines", "unpacking")
    )
    heavy = "{'genicam', 'harvesters'} & set(sys.modules)"
    code = f"import sys, {modules}; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0


def test_harvesters_leaves_the_filters_of_warnings_alone() -> None:
    code = (
        "import warnings, darkscan.drivers.camera.camera; "
        "assert 'once' not in [action for action, *_ in warnings.filters]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
