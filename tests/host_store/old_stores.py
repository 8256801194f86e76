"""Databases of stores as each version of the schema left them.

    python -m tests.host_store.old_stores

writes ``version-N.sqlite.gz`` for the present version N, unless it is there already. It is to
be run, and the file committed, together with a new migration: before the next one comes.
"""

import gzip
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from darkscan.host.store import NewReview, RigName, Store
from tests.host_examples import AWKWARD_NAME, ExampleScan

FOLDER = Path(__file__).parent / "files"
OLD = ExampleScan(
    seed=77, element=AWKWARD_NAME, size_mm=(30.0, 20.0), grid=(2, 2), defects=6, quarantined=1
)
"""The scan that each of them holds, with a review of D0002."""


def main() -> None:
    """Writes the database of the present version."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with Store.open(path.parent) as store:
            store.receive(RigName("rig-a"), OLD.parcels())
            store.review(OLD.scan, NewReview(defect="D0002", verdict="rejected", name="Ada"))
        with closing(sqlite3.connect(path)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        target = FOLDER / f"version-{version}.sqlite.gz"
        if not target.exists():
            target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
