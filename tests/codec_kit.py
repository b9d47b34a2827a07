"""JavaScript engines that run the codec as network servers do, and a look at what comes out."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import quickjs

CODEC = Path(__file__).parents[1] / "hw" / "lorawan" / "stadtsinn.js"
NAMES = ("decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink")
# All inputs through one function; anything that JSON would lose or change is an error of ours.
HARNESS = f"var codec = {{ {', '.join(f'{name}: {name}' for name in NAMES)} }};"
HARNESS += """
function asData(item, path) {
  if (item === null || typeof item === "string" || typeof item === "boolean") return item;
  if (typeof item === "number" && isFinite(item)) return item;
  var type = Object.prototype.toString.call(item);
  if (type !== "[object Array]" && type !== "[object Object]") throw new Error(path + " " + type);
  Object.keys(item).forEach(function (key) { asData(item[key], path + "." + key); });
  return item;
}
globalThis.answers = function (name, text) {
  return JSON.stringify(JSON.parse(text).map(function (input) {
    return asData(codec[name](input), name);
  }));
};
"""


class QuickJS:
    """PyPI's quickjs: ChirpStack's engine, as a strict module or as a sloppy script."""

    def __init__(self, *, strict: bool) -> None:
        self.context = quickjs.Context()
        script = CODEC.read_text("utf-8") + HARNESS
        if strict:
            self.context.module(script)
        else:
            self.context.eval(script)

    def answers(self, name: str, inputs: Sequence[Any]) -> list[Any]:
        """What the codec's function says of each input."""
        return list(json.loads(self.context.get("answers")(name, json.dumps(inputs))))


class Node:
    """The `node` command, as an ES module or as a sloppy script."""

    READ = 'var input = JSON.parse(require("fs").readFileSync(0, "utf8"));'
    RUN = "process.stdout.write(globalThis.answers(input.name, input.text));"

    def __init__(self, folder: Path, *, strict: bool) -> None:
        self.main = folder / ("main.mjs" if strict else "main.cjs")
        script = CODEC.read_text("utf-8") + HARNESS
        if strict:
            head = 'import { createRequire } from "module";\nvar require = createRequire("/");\n'
            self.main.write_text(head + script + self.READ + self.RUN, "utf-8")
        else:
            (folder / "codec.js").write_text(script, "utf-8")
            load = f'require("vm").runInThisContext({json.dumps(script)});'
            self.main.write_text(load + self.READ + self.RUN, "utf-8")

    def answers(self, name: str, inputs: Sequence[Any]) -> list[Any]:
        """The same, by one process for all."""
        told = json.dumps({"name": name, "text": json.dumps(inputs)})
        done = subprocess.run(
            ["node", self.main], input=told, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))


Engine = QuickJS | Node


def same(said: Any, expected: Any) -> bool:
    """Equal as JSON; `True` where only something has to be said; numbers beyond 2^53 nearly."""
    if isinstance(expected, dict):
        keys = isinstance(said, dict) and said.keys() == expected.keys()
        return keys and all(_pair(key, said[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        long = isinstance(said, list) and len(said) == len(expected)
        return long and all(map(same, said, expected))
    if isinstance(expected, (int, float)) and not isinstance(expected, bool):
        number = isinstance(said, (int, float)) and not isinstance(said, bool)
        near = abs(expected) > 2**53 and number and math.isclose(said, expected, rel_tol=1e-12)
        return near or (number and said == expected)
    return type(said) is type(expected) and bool(said == expected)


def _pair(key: str, said: Any, expected: Any) -> bool:
    if key in ("errors", "warnings") and expected is True:
        return bool(said) and all(isinstance(word, str) and word for word in said)
    return same(said, expected)
