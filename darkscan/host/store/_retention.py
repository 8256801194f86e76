"""What need not be kept for ever: rules by age and size, for scans that have ended."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from darkscan.host.store import _clock
from darkscan.host.store._database import Database
from darkscan.host.store._maps import forget_map, map_size
from darkscan.host.store._tiles import TileFiles
from darkscan.host.store.types import Removed, RetentionRules

_DAY_S = 86_400
_PAGES_AT_ONCE = 2000  # freed in one transaction: others wait for no more than that


class _Ended(NamedTuple):
    key: int
    id: str
    element: str
    ended_here: float
    has_map: bool


def tidy(database: Database, tiles: TileFiles, rules: RetentionRules) -> list[Removed]:
    """Removes what the rules let go; see ``Store.tidy``."""
    with database.reading() as connection:
        ended = _ended(connection)
    removed = [
        *_old_tiles(database, tiles, ended, rules.keep_tiles_days),
        *_too_many_tiles(database, tiles, ended, rules.tiles_limit_bytes),
    ]
    maps = list(_old_maps(database, ended, rules.keep_maps_days))
    if maps:
        _give_back(database)
    return removed + maps


def _ended(connection: sqlite3.Connection) -> list[_Ended]:
    """The scans that have ended, those that did so first before others."""
    rows = connection.execute(
        "SELECT key, id, element, ended_here, sha256 IS NOT NULL FROM scans"
        " LEFT JOIN maps ON scan = key WHERE outcome IS NOT NULL ORDER BY ended_here, key"
    )
    return [_Ended(*row) for row in rows]


def _old_tiles(
    database: Database, tiles: TileFiles, ended: list[_Ended], days: float
) -> Iterator[Removed]:
    for scan in ended:
        if _is_older(scan, days) and tiles.size(scan.id):
            yield _remove_tiles(database, tiles, scan, f"ended more than {days:g} days ago")


def _too_many_tiles(
    database: Database, tiles: TileFiles, ended: list[_Ended], limit: int
) -> Iterator[Removed]:
    total = tiles.total() if limit > 0 else 0
    for scan in ended:
        if total <= limit:
            return
        if tiles.size(scan.id):
            reason = f"all tiles together were more than {limit / 1e9:g} GB"
            removed = _remove_tiles(database, tiles, scan, reason)
            total -= removed.size_bytes
            yield removed


def _old_maps(database: Database, ended: list[_Ended], days: float) -> Iterator[Removed]:
    for scan in ended:
        if scan.has_map and _is_older(scan, days):
            with database.writing() as connection:
                size = map_size(connection, scan.key)
                forget_map(connection, scan.key, _clock.utc(_clock.now()))
            reason = f"ended more than {days:g} days ago"
            yield Removed(scan.id, scan.element, "map", size, reason)


def _is_older(scan: _Ended, days: float) -> bool:
    return days > 0 and _clock.now() - scan.ended_here > days * _DAY_S


def _remove_tiles(database: Database, tiles: TileFiles, scan: _Ended, reason: str) -> Removed:
    when = _clock.utc(_clock.now())
    with tiles.lock:
        with database.writing() as connection:
            connection.execute(
                "UPDATE scans SET tiles_removed = ? WHERE key = ?",
                (when, scan.key),
            )
        size = tiles.remove(scan.id)
    return Removed(scan.id, scan.element, "tiles", size, reason)


def _give_back(database: Database) -> None:
    """Shortens the database's file by what is free in it, little by little."""
    while True:
        with database.writing() as connection:
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            left = connection.execute("PRAGMA freelist_count").fetchone()[0]
        if left in {0, free}:
            return
