"""The command `stadtsinn`; also `python -m agent`."""

from __future__ import annotations

import sys

from agent.cli import group


def main() -> None:
    """Run the command line."""
    sys.exit(group.main(prog_name="stadtsinn", standalone_mode=True))


if __name__ == "__main__":
    main()
