"""The figures of identity, as Markdown tables.

    python -m benchmarks.identity [tracks] [unknowns] [gallery] [tag]

All four unless told which. The clips and photos are looked for in FACESTREAM_TEST_DATA, by default
`../shared/data` beside the checkout.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

TABLES = ("tracks", "unknowns", "gallery", "tag")


def main() -> None:
    """Print the tables that are asked for, in turn."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.identity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    wanted = parser.parse_args().tables or TABLES
    if unknown := set(wanted) - set(TABLES):
        parser.error(f"no table {', '.join(sorted(unknown))}: there are {', '.join(TABLES)}")
    checkout = Path(__file__).parent.parent.parent
    data = Path(os.environ.get("FACESTREAM_TEST_DATA", checkout.parent / "shared" / "data"))
    if not data.is_dir():
        parser.error(f"no test data at {data}: set FACESTREAM_TEST_DATA to the folder")
    for table in wanted:
        print(f"## {table}\n", flush=True)
        importlib.import_module(f"benchmarks.identity.{table}").report(data)
        print(flush=True)


if __name__ == "__main__":
    main()
