"""``python -m sima_compiler``: the command line where ``simac`` is not on the path."""

from __future__ import annotations

import sys

from sima_compiler.cli import main

if __name__ == "__main__":
    sys.exit(main())
