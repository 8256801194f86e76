"""Where this user's keys lie, and what waits for a host."""

import os
from pathlib import Path

from darkscan.pipeline.core.errors import InputError


def settings_folder() -> Path:
    """``$DARKSCAN_CONFIG``, else ``$XDG_CONFIG_HOME/darkscan``, else ``~/.config/darkscan``.

    Raises InputError where there is none of them.
    """
    return _folder("DARKSCAN_CONFIG", "XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """``$DARKSCAN_STATE``, else ``$XDG_STATE_HOME/darkscan``, else ``~/.local/state/darkscan``.

    Raises InputError where there is none of them.
    """
    return _folder("DARKSCAN_STATE", "XDG_STATE_HOME", ".local/state")


def _folder(own: str, shared: str, usual: str) -> Path:
    if given := os.environ.get(own):
        return Path(given).absolute()
    home = Path(os.environ.get(shared, ""))
    if home.is_absolute():  # others are ignored, by the specification of these variables
        return home / "darkscan"
    try:
        return Path.home() / usual / "darkscan"
    except RuntimeError as error:  # a service's user may have no home
        raise InputError("is to be set: this user has no home folder", field=own) from error
