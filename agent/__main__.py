"""The command `stadtsinn`; also `python -m agent`."""

from __future__ import annotations

import io
import sys

from agent.cli import group


def main() -> None:
    """Run the command line. A terminal that has no sign for a character gets a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(group.main(prog_name="stadtsinn", standalone_mode=True))


if __name__ == "__main__":
    main()
