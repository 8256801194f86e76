"""Builds the simulated camera, a GenTL producer in C, with the system's compiler."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from darkscan.pipeline.core.errors import InputError, StorageError

SOURCES = Path(__file__).parent / "producer"

_NODES = "http://www.genicam.org/GenApi/Version_1_1"
_FLAGS = (
    *("-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math"),  # rows are vectorised
    *("-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread"),
)
_BUILD_S = 120.0


def producer() -> Path:
    """The simulated camera's .cti, built unless it was built from the same sources before.

    It is kept in $XDG_CACHE_HOME/darkscan (else ~/.cache/darkscan). Raises InputError
    where there is no C compiler or it fails, StorageError where the file cannot be written.
    """
    nodes = _nodes_in_c()
    folder = _cache()
    path = folder / f"simulated-camera-{_fingerprint(nodes)}.cti"
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as work:
            built = Path(work) / "producer.cti"
            _compile(_compiler(), nodes, built)
            built.replace(path)  # at once: another process may be building it, too
    except OSError as error:
        raise StorageError(path, error) from error
    return path


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "darkscan"


def _fingerprint(nodes: str) -> str:
    """A hash of everything that the library is built from."""
    digest = hashlib.sha256("\n".join([*_FLAGS, nodes]).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _compiler() -> str:
    wanted = os.environ.get("CC")
    for name in (wanted,) if wanted else ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            return found
    looked = wanted or "cc, gcc or clang"
    raise InputError(f"the simulated camera needs a C compiler, and there is no {looked}")


def _compile(compiler: str, nodes: str, built: Path) -> None:
    written = built.with_name("nodes.c")
    written.write_text(nodes, encoding="ascii")
    sources = [str(source) for source in (*sorted(SOURCES.glob("*.c")), written)]
    command = [compiler, *_FLAGS, "-I", str(SOURCES), "-o", str(built), *sources, "-lm"]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=_BUILD_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{compiler} took longer than {_BUILD_S:g} s") from None
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "error" in line]
        reason = (errors or result.stderr.splitlines() or ["no reason given"])[0]
        raise InputError(f"{compiler} could not build the simulated camera: {reason}")


def _nodes_in_c() -> str:
    """The descriptions of nodes as C arrays, so that nothing but a compiler is needed."""
    texts = {
        "area": _joined("area.xml", "camera.xml", "signals.xml"),
        "line": _joined("line.xml", "camera.xml", "signals.xml"),
        "module": _joined("module.xml"),
        "stream": _joined("stream.xml"),
    }
    parts = ['#include "module.h"\n']
    for name, text in texts.items():
        numbers = ",".join(map(str, text))
        parts.append(
            f"static const unsigned char {name}_text[] = {{{numbers}}};\n"
            f'const struct xml {name}_xml = {{"simulated_{name}.xml", {name}_text, {len(text)}}};\n'
        )
    return "".join(parts)


def _joined(own: str, *others: str) -> bytes:
    """A description with the nodes of others added."""
    ET.register_namespace("", _NODES)
    root = ET.parse(SOURCES / own).getroot()  # noqa: S314 - our own files
    for other in others:
        root.extend(ET.parse(SOURCES / other).getroot())  # noqa: S314
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text
