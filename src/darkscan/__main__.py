"""Runs the command line: ``python -m darkscan``."""

import sys

from darkscan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
