"""The whole examination, each check apart from the others."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from darkscan.doctor._findings import Check, Finding, Subject, problem
from darkscan.pipeline.core.errors import DarkscanError

CHECKS: Mapping[str, str] = {
    "packages": "_packages.check_packages",
    "rig": "_instrument.check_rig",
    "producers": "_instrument.check_producers",
    "GPU": "_inference.check_gpu",
    "backend": "_inference.check_backends",
    "shared memory": "_memory.check_shared_memory",
    "leftovers": "_memory.check_leftovers",
    "results": "_disks.check_out",
    "store": "_host.check_store",
    "ports": "_host.check_ports",
    "keys": "_link.check_keys",
    "outbox": "_link.check_outbox",
    "host": "_link.check_host",
    "file limit": "_machine.check_file_limit",
    "clock": "_machine.check_clock",
}
"""The checks by name, in the order in which they are made: a module of this package, and the
function in it. They load as they are made, since what they load may be what is broken."""


def examine(subject: Subject) -> Iterator[Finding]:
    """Makes the checks one after the other; each finding comes as soon as it is made."""
    for name, place in CHECKS.items():
        module, _, function = place.partition(".")
        try:
            check: Check = getattr(import_module(f"darkscan.doctor.{module}"), function)
        except Exception as error:  # noqa: BLE001 - a broken package raises what it likes
            yield _failed(name, error)
        else:
            yield from guarded(name, check, subject)


def guarded(name: str, check: Check, subject: Subject) -> Iterator[Finding]:
    """The findings of a check; that it failed itself is one, too."""
    try:
        yield from check(subject)
    except DarkscanError as error:
        yield problem(name, str(error))
    except Exception as error:  # noqa: BLE001 - whatever this computer has in store for it
        yield _failed(name, error)


def _failed(name: str, error: Exception) -> Finding:
    said = (str(error).splitlines() or [""])[0]
    return problem(name, f"could not be looked at: {type(error).__name__}: {said}")
