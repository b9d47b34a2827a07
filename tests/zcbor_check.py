"""Runs in the environment of zcbor: "<type> <hex>" lines on stdin -> the refused ones on stdout."""

import sys
from pathlib import Path

from zcbor.zcbor import zcbor

CDDL = Path(__file__).parents[1] / "agent" / "codec" / "wire.cddl"
PRELUDE = Path(zcbor.__file__).with_name("prelude.cddl")


def main() -> None:
    """Read all lines, print `<line>: <why>` for those that are not valid."""
    text = PRELUDE.read_text() + CDDL.read_text()
    types = zcbor.DataTranslator.from_cddl(text, 3).my_types
    for line in sys.stdin:
        kind, hexed = line.split()
        try:
            types[kind].validate_str(bytes.fromhex(hexed))
        except zcbor.CddlValidationError as error:
            print(f"{line.strip()}: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
