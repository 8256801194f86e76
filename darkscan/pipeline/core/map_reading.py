"""Reads defect maps: of the present version as they are, of version 2 brought up to it."""

import json
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from darkscan.pipeline.core._map_version_2 import BEFORE, MapVersion2, in_present_version
from darkscan.pipeline.core.defect_map import FORMAT, MAP_NAME, VERSION, DefectMap
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.settings import check


def read_map(path: Path) -> DefectMap:
    """The map in a folder of results, or in a file.

    A map of version 2 is brought up to the present version; what was not measured then is
    null. Raises InputError naming file and field if there is no map that can be read.
    """
    file = map_file(path)
    return parse_map(read_file(file, absent="there is no such map"), file=file)


def parse_map(data: bytes, *, file: Path | str) -> DefectMap:
    """The map in the bytes of a file, as ``read_map`` reads it; errors name ``file``."""
    with suppress(ValidationError):  # the usual case, without an intermediate copy of it all
        return DefectMap.model_validate_json(data)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError("is no defect map: not JSON", file=file) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"is no defect map: its format is not {FORMAT!r}", file=file)
    version = content.get("version")
    if version == VERSION:
        return check(content, DefectMap, file=file)
    if version == BEFORE:
        return in_present_version(check(content, MapVersion2, file=file))
    problem = f"must be {BEFORE} or {VERSION}, other versions are not read (is {version!r:.40})"
    raise InputError(problem, file=file, field="version")


def map_file(path: Path) -> Path:
    """The file of the map that a path names: of a folder of results, or itself."""
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):  # reading it says why
        is_folder = False
    return path / MAP_NAME if is_folder else path
