"""Every fuzzer, COUNT inputs each.

usage: python -m tests.fuzz [COUNT [SEED]]
"""

import importlib
import pkgutil
import sys
import time

import tests.fuzz


def main(count: int, seed: int) -> None:
    """Run them one after the other; a finding ends the run with its traceback."""
    for module in pkgutil.iter_modules(tests.fuzz.__path__):
        if module.name.startswith("fuzz_"):
            began = time.monotonic()
            print(f"{module.name}: {count:,} inputs, seed {seed} …", end=" ", flush=True)
            importlib.import_module(f"tests.fuzz.{module.name}").run(count, seed)
            print(f"nothing found in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(words[0] if words else 20_000, words[1] if len(words) > 1 else 1)
