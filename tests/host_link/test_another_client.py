"""The client in the protocol's page speaks with a host that has a store."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from darkscan.host.link import LinkServer
from darkscan.host.store import RigName, Store
from darkscan.pipeline.host_link.messages import Parcel, Receipt
from tests.conftest import REPOSITORY
from tests.host_link.conftest import Ends


def test_the_client_that_the_documentation_shows_is_answered(ends: Ends, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "reference" / "host-link.md").read_text(encoding="utf-8")
    (client,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    ends.allow_rig()
    rig, host = ends.rig_keys.own(), ends.host_keys.own()
    with Store.open(tmp_path / "store") as store:

        def receive(name: str, parcels: Sequence[Parcel]) -> list[Receipt]:
            return store.receive(RigName(name), parcels)

        with LinkServer(
            "tcp://127.0.0.1:0",
            receive=receive,
            hear=ends.kept.hear,
            ring=ends.host_keys,
            name="the host",
        ) as server:
            keys = {"RIG_PUBLIC": rig.public, "RIG_SECRET": rig.secret, "HOST_KEY": host.public}
            done = subprocess.run(
                [sys.executable, "-c", client],
                env={**os.environ, **keys, "HOST": server.address},
                capture_output=True,
                text=True,
                check=False,
            )
    assert done.returncode == 0, done.stderr
    welcome, first, second = done.stdout.splitlines()
    assert welcome.startswith("Welcome {'host': 'the host'")
    assert "'outcome': 'refused'" in first
    assert "'outcome': 'refused'" in second
