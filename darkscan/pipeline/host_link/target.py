"""Which host a rig sends to, and by which keys the two know each other."""

from pathlib import Path

from pydantic import Field

from darkscan.pipeline.access.keys import KeyRing, one_of, warn_of_insecure_link
from darkscan.pipeline.core.addresses import check_address
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import Record
from darkscan.pipeline.host_link.outbox import outbox_file


class HostTarget(Record):
    """A host to send to, and where on this computer lies what that takes."""

    address: str = Field(description="tcp://HOST:PORT")
    server_key: str = Field(default="", description="the host's public key; empty: insecure")
    own_key: Path | None = Field(default=None, description="file of this computer's key")
    outbox: Path = Field(description="file of what waits for the host")

    @property
    def insecure(self) -> bool:
        """Whether nothing is encrypted and nobody is asked for a key."""
        return not self.server_key


def target_of(
    address: str,
    host_key: str | None = None,
    *,
    insecure: bool = False,
    ring: KeyRing | None = None,
) -> HostTarget:
    """The host at an address, as --host, --host-key and --insecure name it.

    host_key: the host's public key, or the name of an allowed one; None: the only allowed one.
    Raises InputError that names the option and says what to do; nothing is connected yet.
    """
    check_address(address, field="--host")
    if insecure:
        if host_key:
            raise InputError("has no meaning with --insecure", field="--host-key")
        warn_of_insecure_link(address)
        return HostTarget(address=address, outbox=outbox_file())
    ring = ring or KeyRing()
    ring.own()  # raises unless it can be used
    key = one_of(ring, host_key, "host", "--host-key")
    return HostTarget(address=address, server_key=key, own_key=ring.own_file, outbox=outbox_file())
