"""What the project says of its dependencies agrees: bounds, and the versions tried."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = [Requirement(text) for text in PROJECT["dependencies"]]


def pinned(file: str) -> dict[str, Version]:
    """Versions by name, spelt as pip compares names."""
    lines = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line]
    return {re.sub(r"[-_.]+", "-", name).lower(): Version(version) for name, version in pins}


@pytest.mark.parametrize("requirement", BASE, ids=lambda requirement: requirement.name)
def test_a_dependency_has_a_lower_bound_which_is_tried(requirement: Requirement) -> None:
    (bound,) = requirement.specifier
    assert bound.operator == ">="
    lowest = pinned("constraints-lowest.txt")[requirement.name]
    assert lowest.release[: len(Version(bound.version).release)] == Version(bound.version).release
    assert pinned("constraints.txt")[requirement.name] >= lowest
