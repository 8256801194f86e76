"""The tables of the outbox."""

APPLICATION = 0x6473_6F62  # "dsob"
VERSION = 1

# The contents stand last in their rows, and what is asked of all rows is in an index: neither
# counting nor choosing reads the pages of contents.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS scans (
    number INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    scan TEXT NOT NULL,
    put_at REAL NOT NULL,                      -- Unix time of the latest durable parcel
    begun INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    parcels INTEGER NOT NULL DEFAULT 0,        -- that wait; kept by the triggers, as the next four
    tiles INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,          -- of all three
    tiles_dropped INTEGER NOT NULL DEFAULT 0,
    UNIQUE (destination, scan)
) STRICT;

CREATE TABLE IF NOT EXISTS parcels (
    number INTEGER PRIMARY KEY,                -- in the order they were put
    scan INTEGER NOT NULL REFERENCES scans,
    destination TEXT NOT NULL,
    id BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    reason TEXT,                               -- why the host refused it; NULL: it waits
    content BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS waiting_parcels ON parcels (destination, number, bytes, id)
    WHERE reason IS NULL;

CREATE TABLE IF NOT EXISTS tiles (             -- their contents are files, named by the id
    number INTEGER PRIMARY KEY,
    scan INTEGER NOT NULL REFERENCES scans,
    destination TEXT NOT NULL,
    id BLOB NOT NULL UNIQUE,
    level INTEGER NOT NULL,
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    checksum INTEGER NOT NULL,                 -- crc32 of the content
    UNIQUE (scan, level, x, y)
) STRICT;
CREATE INDEX IF NOT EXISTS waiting_tiles ON tiles
    (destination, scan DESC, level DESC, number, bytes, id);
CREATE INDEX IF NOT EXISTS droppable_tiles ON tiles (level, scan, number, id, bytes);

CREATE TABLE IF NOT EXISTS states (
    scan INTEGER NOT NULL REFERENCES scans,
    key TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (scan, key)
) STRICT;

CREATE TRIGGER IF NOT EXISTS parcel_put AFTER INSERT ON parcels BEGIN
    UPDATE scans SET parcels = parcels + 1, bytes = bytes + NEW.bytes WHERE number = NEW.scan;
END;
CREATE TRIGGER IF NOT EXISTS parcel_gone AFTER DELETE ON parcels BEGIN
    UPDATE scans SET parcels = parcels - (OLD.reason IS NULL),
        refused = refused - (OLD.reason IS NOT NULL), bytes = bytes - OLD.bytes
    WHERE number = OLD.scan;
END;
CREATE TRIGGER IF NOT EXISTS parcel_set_aside AFTER UPDATE OF reason ON parcels BEGIN
    UPDATE scans SET parcels = parcels + (NEW.reason IS NULL) - (OLD.reason IS NULL),
        refused = refused + (NEW.reason IS NOT NULL) - (OLD.reason IS NOT NULL)
    WHERE number = OLD.scan;
END;
CREATE TRIGGER IF NOT EXISTS tile_put AFTER INSERT ON tiles BEGIN
    UPDATE scans SET tiles = tiles + 1, bytes = bytes + NEW.bytes WHERE number = NEW.scan;
END;
CREATE TRIGGER IF NOT EXISTS tile_gone AFTER DELETE ON tiles BEGIN
    UPDATE scans SET tiles = tiles - 1, bytes = bytes - OLD.bytes WHERE number = OLD.scan;
END;
CREATE TRIGGER IF NOT EXISTS tile_replaced AFTER UPDATE OF bytes ON tiles BEGIN
    UPDATE scans SET bytes = bytes + NEW.bytes - OLD.bytes WHERE number = OLD.scan;
END;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 - our own numbers
"""Makes the tables, or changes nothing where they are: several processes may run it at once."""
