"""Every page and path that a page, a docstring or the Makefile names is there."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


def tracked(*patterns: str) -> list[Path]:
    """Files that git tracks; of an unpacked archive all files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a checkout")
    paths = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in tracked("*.md")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_pages_named_in_code_exist() -> None:
    named = re.compile(r"\bdocs/[\w/-]+\.(?:md|json)\b")
    missing = [
        f"{path.relative_to(REPOSITORY)}: {page}"
        for path in tracked("*.py", "*.toml", "*.c", "Makefile")
        for page in named.findall(path.read_text(encoding="utf-8"))
        if not (REPOSITORY / page).exists()
    ]
    assert not missing


def test_every_page_of_the_documentation_is_in_its_contents() -> None:
    docs = REPOSITORY / "docs"
    contents = (docs / "index.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(docs).with_suffix("")) for page in tracked("docs/*.md")}
    listed = {line for line in contents.splitlines() if line in pages}
    assert {page for page in pages - listed if not page.startswith("decisions/")} == {"index"}


def test_every_room_is_in_the_api_pages() -> None:
    page = (REPOSITORY / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (REPOSITORY / "darkscan").glob("*/__init__.py")}
    assert set(re.findall(r"^ +darkscan\.(\w+)$", page, re.MULTILINE)) == rooms - {"cli"}
