"""Where the host link keeps what is this user's: its keys, and what waits for a host."""

import os
from pathlib import Path


def settings_folder() -> Path:
    """``$DARKSCAN_CONFIG``, else ``$XDG_CONFIG_HOME/darkscan``, else ``~/.config/darkscan``."""
    return _folder("DARKSCAN_CONFIG", "XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """``$DARKSCAN_STATE``, else ``$XDG_STATE_HOME/darkscan``, else ``~/.local/state/darkscan``."""
    return _folder("DARKSCAN_STATE", "XDG_STATE_HOME", ".local/state")


def _folder(own: str, shared: str, usual: str) -> Path:
    if given := os.environ.get(own):
        return Path(given).absolute()
    home = Path(os.environ.get(shared, ""))
    # Its specification has relative paths ignored.
    return (home if home.is_absolute() else Path.home() / usual) / "darkscan"
