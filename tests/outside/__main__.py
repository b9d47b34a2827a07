"""Everything the world does, one line each.

usage: python -m tests.outside [SECONDS]

SECONDS is how long each lasts, a minute by default; exit code 1 if anything is not as it must be.
"""

from __future__ import annotations

import sys

from tests.outside import brokers

SECONDS = 60.0


def main() -> int:
    """Exit code."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    return 1 if brokers.run(seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
