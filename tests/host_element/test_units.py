"""What the element's view computes, without a browser: `units.test.ts`, run by node."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "darkscan" / "host" / "page"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_geometry_filters_and_reviews_are_right(tmp_path: Path) -> None:
    esbuild = PAGE / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        pytest.skip("the page's packages are not installed: npm ci in darkscan/host/page")
    bundle = tmp_path / "units.test.mjs"
    tests = HERE / "units.test.ts"
    built = subprocess.run(
        [
            *(esbuild, tests, "--bundle", "--platform=node", "--format=esm"),
            *("--log-level=warning", f"--outfile={bundle}"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    ran = subprocess.run(["node", "--test", bundle], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
