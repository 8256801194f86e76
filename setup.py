"""The project is described in pyproject.toml; here is only what no build may overlook."""

from pathlib import Path

from setuptools import setup

PACKAGE = Path(__file__).parent / "src" / "darkscan"
ROOMS = ("cli", "configs", "drivers", "models", "network", "pipeline", "stages")

# They are links to the folders at the top. In archives that cannot hold links, and in checkouts
# with core.symlinks=false, they are small files, and what is built holds no code at all.
LOST = [room for room in ROOMS if not (PACKAGE / room).is_dir()]
if LOST:
    raise SystemExit(
        f"darkscan cannot be built from this copy: src/darkscan/{LOST[0]} is no folder, so its "
        "symbolic links were lost. Clone it with git -c core.symlinks=true, or unpack an archive "
        "that keeps links, with tar or unzip"
    )

setup()
