"""Figures of the code itself: how many modules, how long, how they hang together.

    python benchmarks/house.py [CHECKOUT] [--time]

Works on any checkout of darkscan: the package in ``darkscan/``, or rooms at the top with links
to them in ``src/darkscan/``. A module's importers are the modules of the package that use it;
a package's ``__init__`` only hands names on, so an import from there counts for the module that
defines the name. ``--time`` also runs ``make quick`` and ``make test`` there.
"""

import argparse
import ast
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

REPLAY = ("acquisition", "preprocessing", "classification", "merging")


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str
    path: Path

    @property
    def is_face(self) -> bool:
        """Whether it stands for its package."""
        return self.path.name == "__init__.py"

    @cached_property
    def tree(self) -> ast.Module:
        """What the file says."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def lines(self) -> int:
        """Its length."""
        return len(self.path.read_text(encoding="utf-8").splitlines())

    def functions(self) -> Iterator[tuple[str, int]]:
        """Every function and how many parameters it takes, ``self`` and ``cls`` left out."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
                yield node.name, sum(one.arg not in {"self", "cls"} for one in named)

    def imports_in_functions(self) -> int:
        """How many import statements stand inside functions."""
        top = set(self._at_top())
        return sum(
            isinstance(node, ast.Import | ast.ImportFrom) and node not in top
            for node in ast.walk(self.tree)
        )

    def imports(self, *, at_top: bool) -> Iterator[tuple[str, str]]:
        """The modules and the names in them that are imported, at the top or in functions."""
        top = set(self._at_top())
        for node in ast.walk(self.tree):
            if (node in top) is not at_top:
                continue
            if isinstance(node, ast.ImportFrom):
                yield from ((node.module or "", alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)

    def _at_top(self) -> Iterator[ast.AST]:
        for node in self.tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from ast.walk(node)


class House:
    """All modules of a checkout's package."""

    def __init__(self, checkout: Path) -> None:
        self.modules = {module.name: module for module in _modules(checkout)}

    def uses(self, module: Module, *, lazily: bool = True) -> set[str]:
        """The modules of the package that a module imports, faces looked through."""
        found = list(module.imports(at_top=True))
        if lazily:
            found += module.imports(at_top=False)
        return {used for source, name in found if (used := self._definer(source, name))}

    def importers(self) -> dict[str, set[str]]:
        """For each module but faces the modules that import it."""
        users: dict[str, set[str]] = {
            name: set() for name, module in self.modules.items() if not module.is_face
        }
        for module in self.modules.values():
            if not module.is_face:
                for used in self.uses(module) & users.keys() - {module.name}:
                    users[used].add(module.name)
        return users

    def behind_a_replay(self) -> set[str]:
        """The modules of a replay's four stages, and all that these import when they start."""
        stages = tuple(f"darkscan.stages.{stage}" for stage in REPLAY)
        waiting = [name for name in self.modules if name.startswith(stages)]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in seen and not self.modules[name].is_face:
                seen.add(name)
                waiting.extend(self.uses(self.modules[name], lazily=False))
        return seen

    def _definer(self, source: str, name: str) -> str | None:
        """The module that an import is of; None for one of another package."""
        if f"{source}.{name}" in self.modules:
            return f"{source}.{name}"
        face = self.modules.get(source)
        if face is not None and face.is_face:
            for behind, handed_on in face.imports(at_top=True):
                if handed_on == name:
                    return self._definer(behind, name)
        return source if source in self.modules else None


def _modules(checkout: Path) -> Iterator[Module]:
    package = checkout / "darkscan"
    if not (package / "__init__.py").exists():
        package = checkout / "src" / "darkscan"
    # The links of src/darkscan are resolved: rglob does not follow them.
    for part in sorted(package.iterdir()):
        for path in sorted(part.resolve().rglob("*.py")) if part.is_dir() else [part]:
            if path.suffix == ".py" and path.name != "__main__.py":
                inner = path.relative_to(part.resolve() if part.is_dir() else package)
                names = ([part.name] if part.is_dir() else []) + list(inner.with_suffix("").parts)
                if names[-1] == "__init__":
                    names.pop()
                yield Module(".".join(["darkscan", *names]), path)


def _figures(house: House) -> Iterator[tuple[str, str]]:
    modules = [module for module in house.modules.values() if not module.is_face]
    lengths = sorted(module.lines for module in modules)
    importers = house.importers()
    lonely = [name for name, users in importers.items() if len(users) == 1]
    short = [name for name in lonely if house.modules[name].lines < 60]
    inside = sum(module.imports_in_functions() for module in modules)
    calls = sorted(
        (
            (count, f"{function} ({module.name.removeprefix('darkscan.')})")
            for module in modules
            for function, count in module.functions()
        ),
        reverse=True,
    )
    yield "packages", str(len(house.modules) - len(modules))
    yield "modules", str(len(modules))
    yield "lines", str(sum(lengths))
    yield "median lines", f"{statistics.median(lengths):g}"
    yield "quarter shorter than, quarter longer than", f"{_quarters(lengths)}"
    yield "largest", ", ".join(str(length) for length in lengths[:-4:-1])
    yield "modules with one importer", f"{len(lonely)} (under 60 lines: {len(short)})"
    yield "imports inside functions", str(inside)
    yield "modules behind a replay's stages", str(len(house.behind_a_replay()))
    yield "parameters, the ten largest", ", ".join(str(count) for count, _ in calls[:10])
    yield "functions with more than 6 parameters", str(sum(count > 6 for count, _ in calls))
    yield "the five largest", "; ".join(f"{count} {name}" for count, name in calls[:5])


def _quarters(lengths: list[int]) -> str:
    low, _, high = statistics.quantiles(lengths, n=4)
    return f"{low:g}, {high:g}"


def _times(checkout: Path) -> Iterator[tuple[str, str]]:
    for target in ("quick", "test"):
        start = time.perf_counter()
        done = subprocess.run(["make", target], cwd=checkout, capture_output=True, check=False)
        yield f"make {target}, s", f"{time.perf_counter() - start:.0f} (exit {done.returncode})"


def main() -> None:
    """Prints one row a figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--time", action="store_true", help="run make quick and make test, too")
    given = parser.parse_args()
    print(f"| {given.checkout.resolve().name} | |\n|---|---|")
    for what, value in _figures(House(given.checkout)):
        print(f"| {what} | {value} |")
    if given.time:
        for what, value in _times(given.checkout):
            print(f"| {what} | {value} |")


if __name__ == "__main__":
    main()
