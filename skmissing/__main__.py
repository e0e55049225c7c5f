"""``python -m skmissing``: versions, and reports from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .persistence._versions import current_versions
from .reporting._command import add_arguments, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or write the versions without one; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m skmissing")
    commands = parser.add_subparsers(dest="command")
    add_arguments(
        commands.add_parser("report", help="a page on a table with missing modalities")
    )
    options = parser.parse_args(arguments)
    if options.command == "report":
        return run_command(options)
    for name, version in current_versions().items():
        sys.stdout.write(f"{name} {version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
