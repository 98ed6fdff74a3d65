"""``python -m sima_compiler.view FILE``: the View of an archive or a statistics file as JSON, for tools and tests.

``--schema`` prints the schema instead, ``--binary OUT`` writes the columns to a file and prints the head alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sima_compiler.errors import SimaError
from sima_compiler.files.whole import write_whole
from sima_compiler.view.columns import to_binary, to_json
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.schema import schema_text


def main(arguments: list[str] | None = None) -> int:
    """Print what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sima_compiler.view", description="a View as JSON")
    parser.add_argument("file", nargs="?", metavar="FILE", help="a *_mpk.tar.gz or a *_mla_stats.yaml")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema")
    parser.add_argument("--binary", metavar="OUT", help="columns into this file instead of base64")
    options = parser.parse_args(arguments)
    if options.schema or not options.file:
        sys.stdout.write(schema_text())
        return 0
    try:
        view = view_of_path(Path(options.file))
        if options.binary:
            head, buffer = to_binary(view)
            write_whole(Path(options.binary), buffer)
        else:
            head = to_json(view)
    except SimaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(head) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
