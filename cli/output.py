"""Prints results for whoever reads them, or for nobody."""

import os
import sys

from darkscan.pipeline.names import as_text


def say(text: str) -> None:
    """Prints to standard output; a reader that is gone (`| head`) changes nothing else.

    What the terminal cannot show, as bytes in a file's name that are no text, is escaped.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(as_text(text).encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # Else Python would try to flush the rest at its end, and fail with another code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
