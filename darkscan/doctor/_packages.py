"""Packages: which of the base and of each extra are here, how old they are, and do they load."""

import platform
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import NamedTuple

from darkscan.doctor._findings import Finding, Subject, note, ok, problem

USES = {
    "learning": "trains and evaluates models",
    "openvino": "inspects faster on Intel's processors",
    "gpu": "inspects on a GPU",
    "rig": "drives cameras and axes, and simulates them",
    "host": "serves the host computer's page",
}
"""What each extra is for."""

_MODULES = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "prometheus-client": "prometheus_client",
    "pyzmq": "zmq",
    "scikit-image": "skimage",
}
"""The modules of packages that are not named like them."""

_PATIENCE_S = 180.0
_MARK = "darkscan-import"
# A package may print, crash or hang as it loads: each line names what is tried next, or its end.
_TRY = f"""
import importlib, sys
for name in sys.argv[1:]:
    print("\\n{_MARK} try", name, flush=True)
    try:
        importlib.import_module(name)
    except BaseException as error:
        said = (str(error).splitlines() or [""])[0]
        print("\\n{_MARK} failed", type(error).__name__ + ": " + said, flush=True)
    else:
        print("\\n{_MARK} loaded", flush=True)
"""


class Requirement(NamedTuple):
    """A package that darkscan, or one of its extras, needs."""

    package: str
    lowest: str
    """The lowest version that will do; empty: any."""

    extra: str
    """Empty: the base."""

    @property
    def module(self) -> str:
        """The name that it is imported by."""
        return _MODULES.get(self.package.lower(), self.package)


def check_packages(subject: Subject) -> Iterator[Finding]:
    """A line for Python and darkscan, one for the base, one for each extra."""
    yield ok("darkscan", f"{metadata.version('darkscan')} on Python {platform.python_version()}")
    needed = {"rig"} if subject.rig_file is not None else set()
    needed |= {"host"} if subject.store is not None else set()
    groups: dict[str, list[Requirement]] = defaultdict(list)
    for requirement in requirements(metadata.requires("darkscan") or []):
        groups[requirement.extra].append(requirement)
    yield from _lines("", groups.pop("", []), needed=True, use="everything needs it")
    for extra, use in USES.items():
        if extra in groups:
            yield from _lines(extra, groups[extra], needed=extra in needed, use=use)
        else:
            advice = "install darkscan anew: pip install -e . in its folder"
            kind = problem if extra in needed else note
            yield kind(
                f"[{extra}]", "this installation is from before there was such an extra", advice
            )


def requirements(lines: Iterable[str]) -> Iterator[Requirement]:
    """Reads requirements as a package's metadata states them."""
    for line in lines:
        name = re.match(r"[\w.-]+", line)
        lowest = re.search(r">=\s*([\w.]+)", line)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", line)
        if name is not None:
            yield Requirement(name[0], lowest[1] if lowest else "", extra[1] if extra else "")


def _lines(
    extra: str, wanted: Sequence[Requirement], *, needed: bool, use: str
) -> Iterator[Finding]:
    """What is missing, too old or broken of an extra, or of the base; else one line with it all."""
    group = f"[{extra}]" if extra else "base"
    versions = {each: _version(each.package) for each in wanted}
    there = [each for each in wanted if versions[each]]
    missing = [each.package for each in wanted if not versions[each]]
    old = [each for each in there if _numbers(versions[each]) < _numbers(each.lowest)]
    broken = try_imports([each.module for each in there])
    install = f"pip install 'darkscan{group}'" if extra else "pip install darkscan"
    if missing:
        kind, advice = (problem, install) if needed else (note, f"{install}, if you need it")
        yield kind(group, f"not installed: {', '.join(missing)} ({use})", advice)
    for each in old:
        text = f"{each.package} {versions[each]} is older than {each.lowest}"
        yield problem(group, text, f"{install} --upgrade")
    for each in there:
        if why := broken.get(each.module):
            advice = f"pip install --force-reinstall {each.package}"
            yield problem(group, f"{each.package} {versions[each]} does not load: {why}", advice)
    if not (missing or old or broken):
        yield ok(group, ", ".join(f"{each.package} {versions[each]}" for each in there))


def try_imports(modules: Sequence[str], patience_s: float = _PATIENCE_S) -> Mapping[str, str]:
    """Loads modules in a process of their own; those that do not load, and why, in one line."""
    broken: dict[str, str] = {}
    left = list(modules)
    while left:
        told, end = _try(left, patience_s)
        for name, failure in told.items():
            left.remove(name)
            if failure:
                broken[name] = failure
        if left:  # the process ended on the first of them
            broken[left.pop(0)] = end
    return broken


def _try(modules: Sequence[str], patience_s: float) -> tuple[dict[str, str], str]:
    """What became of each module that was tried to its end, and how the process ended."""
    command = [sys.executable, "-c", _TRY, *modules]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired as expired:
        output, end = expired.stdout or b"", f"did not load within {patience_s:.0f} s"
    else:
        output = done.stdout
        crashed = done.returncode < 0
        end = f"crashed (signal {-done.returncode})" if crashed else "ended the process"
    told: dict[str, str] = {}
    name = ""
    for line in output.decode(errors="replace").splitlines():
        if line.startswith(_MARK):
            event, _, rest = line.removeprefix(_MARK).strip().partition(" ")
            if event == "try":
                name = rest
            else:
                told[name] = rest if event == "failed" else ""
    return told, end


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: 2.13.0+cpu is (2, 13, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
