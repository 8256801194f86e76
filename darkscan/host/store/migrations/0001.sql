-- Version 1. Times "by the host" are seconds since 1970 by the host's clock.

CREATE TABLE scans (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,               -- ScanId
    rig TEXT NOT NULL,                     -- only this rig may add to it
    element TEXT NOT NULL,
    side TEXT NOT NULL,
    origin TEXT NOT NULL,
    began TEXT NOT NULL,                   -- ISO 8601, UTC, by the rig
    ended TEXT,
    outcome TEXT,                          -- NULL: runs
    reason TEXT NOT NULL DEFAULT '',
    seconds REAL,
    heard REAL NOT NULL,                   -- by the host: when a parcel of it came last
    ended_here REAL,                       -- by the host: when its end came
    revision INTEGER NOT NULL DEFAULT 0,   -- of its frames and shapes
    planned INTEGER NOT NULL,              -- frames; by the map's ledger once it is here
    mapped INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    scratch INTEGER,                       -- defects of each kind; NULL: no map has come
    fibre INTEGER,
    dig INTEGER,
    dust INTEGER,
    length_mm REAL,                        -- of all scratches
    inspected_fraction REAL,
    reviewed INTEGER NOT NULL DEFAULT 0,   -- defects that are confirmed or rejected
    frames_not_pictured INTEGER NOT NULL DEFAULT 0,
    tiles_dropped INTEGER NOT NULL DEFAULT 0,
    tiles_removed TEXT,                    -- ISO 8601, UTC: when a rule of retention did
    map_removed TEXT
) STRICT;

CREATE INDEX scans_newest ON scans (began DESC, id DESC);
CREATE INDEX scans_running ON scans (key) WHERE outcome IS NULL;

-- ScanBegan, as it was sent.
CREATE TABLE beginnings (
    scan INTEGER PRIMARY KEY REFERENCES scans (key),
    content BLOB NOT NULL
) STRICT;

-- Durable parcels that were kept: one that comes again is known.
CREATE TABLE parcels (
    id BLOB PRIMARY KEY,
    scan INTEGER NOT NULL REFERENCES scans (key)
) STRICT, WITHOUT ROWID;

CREATE TABLE frames (
    scan INTEGER NOT NULL REFERENCES scans (key),
    number INTEGER NOT NULL,
    strip INTEGER NOT NULL,                -- -1: not planned
    x_mm REAL NOT NULL,                    -- of pixel corner (0, 0); planned, then measured
    y_mm REAL NOT NULL,
    outcome INTEGER NOT NULL DEFAULT 255,  -- a place in OUTCOMES; 255: not yet settled
    reason TEXT NOT NULL DEFAULT '',
    positives INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 0,   -- of the scan, when it was settled
    PRIMARY KEY (scan, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX frames_by_revision ON frames (scan, revision);

-- Each inspected frame's windows' scores, uint8.
CREATE TABLE scores (
    scan INTEGER NOT NULL REFERENCES scans (key),
    number INTEGER NOT NULL,
    scores BLOB NOT NULL,
    PRIMARY KEY (scan, number)
) STRICT, WITHOUT ROWID;

-- What each revision of a scan added to its lines and spots, as packed columns.
CREATE TABLE shapes (
    key INTEGER PRIMARY KEY,
    scan INTEGER NOT NULL REFERENCES scans (key),
    revision INTEGER NOT NULL,
    columns BLOB NOT NULL,
    UNIQUE (scan, revision)
) STRICT;

-- How long frames waited for a stage, and how long it worked on them.
CREATE TABLE timings (
    scan INTEGER NOT NULL REFERENCES scans (key),
    stage TEXT NOT NULL,
    tally TEXT NOT NULL,                   -- JSON, as _timings.py has it
    PRIMARY KEY (scan, stage)
) STRICT, WITHOUT ROWID;

-- Small parts of a map, and what a list of scans does not need.
CREATE TABLE maps (
    scan INTEGER PRIMARY KEY REFERENCES scans (key),
    sha256 TEXT NOT NULL,                  -- of defect-map.json
    figures TEXT NOT NULL                  -- JSON: totals, coverage, not_inspected
) STRICT;

-- Large parts of a map.
CREATE TABLE map_parts (
    key INTEGER PRIMARY KEY,
    scan INTEGER NOT NULL REFERENCES scans (key),
    part TEXT NOT NULL,                    -- map, run, trace: as sent; areas: JSON; all by zlib.
                                           -- columns: packed
    content BLOB NOT NULL,
    UNIQUE (scan, part)
) STRICT;

-- The map's defects, some together: a JSON list.
CREATE TABLE defects (
    key INTEGER PRIMARY KEY,
    scan INTEGER NOT NULL REFERENCES scans (key),
    place INTEGER NOT NULL,                -- of the first of them in the map
    content BLOB NOT NULL,
    UNIQUE (scan, place)
) STRICT;

-- What people say of defects: never changed. Each has the hash of the one before within its own.
CREATE TABLE reviews (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    scan TEXT NOT NULL,                    -- ScanId
    defect TEXT NOT NULL,
    verdict TEXT NOT NULL,
    kind TEXT,
    comment TEXT NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;

CREATE INDEX reviews_of_defect ON reviews (scan, defect, number);
CREATE INDEX reviews_of_scan ON reviews (scan, number);

CREATE TRIGGER reviews_stay BEFORE UPDATE ON reviews
BEGIN
    SELECT RAISE(ABORT, 'reviews are never changed');
END;

CREATE TRIGGER reviews_are_not_removed BEFORE DELETE ON reviews
BEGIN
    SELECT RAISE(ABORT, 'reviews are never removed');
END;

-- REPLACE would remove a row without asking the trigger above.
CREATE TRIGGER reviews_are_not_replaced BEFORE INSERT ON reviews
WHEN EXISTS (SELECT 1 FROM reviews WHERE number = NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'reviews are never changed');
END;
