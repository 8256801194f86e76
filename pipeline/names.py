"""File names as text: a name is bytes, and not all of them are text that can be written down."""


def printable(name: str) -> str:
    """A name in one line that any terminal, JSON and HDF5 file takes.

    What is no UTF-8, and what is not printable, becomes backslash escapes.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in as_text(name)
    )


def as_text(name: str) -> str:
    """A name, or a text with names, with backslash escapes for the bytes that are no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_text(name: str) -> bool:
    """Whether a name is UTF-8, and so can be given to what takes text only."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
