"""The host computer's program: receives what rigs find, keeps it, and shows it.

``link`` lets rigs in and takes what they send, ``store`` keeps it, ``web`` shows it.
"""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
