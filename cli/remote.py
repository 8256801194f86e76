"""The option by which workers on other computers may take part in a run."""

import argparse

from darkscan.pipeline.remote_links import check_address

_OPTION = "--remote-workers"


def add_remote_option(parser: argparse.ArgumentParser) -> None:
    """Adds it."""
    parser.add_argument(
        _OPTION,
        metavar="ADDRESS",
        help="let `darkscan worker` on other computers connect to tcp://HOST:PORT and classify "
        "frames, too; HOST is one of this computer's addresses, 0.0.0.0 for all of them. "
        "Frames and results travel unencrypted and nobody is asked who they are: "
        "for a private network only",
    )


def remote_fields(arguments: argparse.Namespace) -> dict[str, object]:
    """What the run's description says of it. Raises InputError unless it is an address."""
    address: str | None = arguments.remote_workers
    return {} if address is None else {"remote_workers": check_address(address, field=_OPTION)}
