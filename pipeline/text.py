"""Reads the text files that people write: recipes, lists of names, marks."""

import codecs
from pathlib import Path

from darkscan.pipeline.errors import InputError
from darkscan.pipeline.files import read_file

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # UTF-32-LE begins as 16


def read_text(path: Path) -> str:
    r"""The text of a UTF-8 file, without the byte-order mark that some editors put before it.

    Ends of lines become "\n". Raises InputError if it cannot be read or is not UTF-8.
    """
    content = read_file(path)
    if content.startswith(_WIDE):
        raise InputError("is a text file in UTF-16 or UTF-32: save it as UTF-8", file=path)
    if b"\0" in content:
        raise InputError("is not a text file: it holds zero bytes", file=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"is not a text file in UTF-8 (byte {content[error.start]:#04x} in line {line})"
        raise InputError(f"{problem}: save it as UTF-8", file=path) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
