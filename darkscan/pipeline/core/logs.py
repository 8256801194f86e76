"""Structured logs: one JSON object a line, all processes of a run into one file."""

import logging
import os
from pathlib import Path
from typing import Any

import structlog

LOG_NAME = "log.jsonl"


class _LineWriter:
    """Appends whole lines; the kernel keeps those of several processes apart."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def msg(self, message: str) -> None:
        try:
            os.write(self._descriptor, message.encode() + b"\n")
        except OSError:
            return  # a full disk must not stop the inspection; its own files will tell

    log = debug = info = warning = error = critical = exception = msg


def log_to_file(path: Path, level: str, **context: Any) -> None:
    """Sends this process's events to a file; ``context`` is part of each of them."""
    writer = _LineWriter(path)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(pid=os.getpid(), **context)
