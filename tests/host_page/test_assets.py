"""The built page that is committed: small, of now, and without anything in line."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from darkscan.host.web import WebSettings
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "darkscan" / "host" / "page"
ASSETS = WebSettings().assets
MOST_BYTES = 150 * 1024


def test_the_committed_page_is_what_its_sources_give(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (PAGE / "node_modules" / "esbuild").is_dir():
        pytest.skip("needs node, and the page's packages: `make web` installs them")
    built = tmp_path / "assets"
    subprocess.run([node, "build.mjs", built], cwd=PAGE, check=True, capture_output=True)
    assert contents(built) == contents(ASSETS), "build it anew with `make web`"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_of_the_page_is_small() -> None:
    sizes = {
        path.name: len(gzip.compress(path.read_bytes()))
        for path in ASSETS.iterdir()
        if path.suffix in {".html", ".js", ".css", ".svg"}
    }
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_the_deep_zoom_is_loaded_only_where_it_is_needed() -> None:
    index = (ASSETS / "index.html").read_text()
    (entry,) = re.findall(r"/assets/(page-\w+\.js)", index)
    assert "OpenSeadragon" not in (ASSETS / entry).read_text()
    assert any(
        "OpenSeadragon" in path.read_text() for path in ASSETS.glob("*.js") if path.name != entry
    )


def test_the_index_names_files_that_are_there_and_has_nothing_in_line() -> None:
    index = (ASSETS / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', index)
    assert named
    assert [name for name in named if not (ASSETS / Path(name).name).is_file()] == []
    assert all(name.startswith("/assets/") for name in named)
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", index) == []


def test_nothing_is_loaded_from_elsewhere() -> None:
    # What the sources say; the libraries name addresses in their licences and error messages.
    sources = [path for path in (PAGE / "src").rglob("*") if path.suffix in {".ts", ".tsx", ".css"}]
    offenders = [path.name for path in sources if re.search(r"https?://", path.read_text())]
    assert offenders == []
