"""Write what is generated here.

usage: python -m hw.lorawan.generate

The tables of stadtsinn.js and of README.md, and the two trees that network servers import:
chirpstack/ (layout of chirpstack-device-profiles) and things-stack/ (of lorawan-devices).
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

from hw.lorawan import expected, tables, vectors

HERE = Path(__file__).parent
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "stadtsinn")
DOWNLINK_PORT = 20  #: WIRE.md section 4
CHIRPSTACK = "chirpstack/vendors/stadtsinn"
THINGS = "things-stack/vendor"
DESCRIPTION = "Raspberry Pi node for the air of class rooms and the condition of bridges"
NO_CLASS_BC = """
[profile.abp]
rx1_delay = 0
rx1_dr_offset = 0
rx2_dr = 0
rx2_freq = 0

[profile.class_b]
timeout_secs = 0
ping_slot_nb_k = 0
ping_slot_dr = 0
ping_slot_freq = 0

[profile.class_c]
timeout_secs = 0
"""


def files() -> dict[Path, str]:
    """Every generated file and what it has to hold."""
    script = _between(HERE / "stadtsinn.js", "// <tables>", "// </tables>", tables.script())
    page = _between(HERE / "README.md", "<!-- <units>", "<!-- </units>", tables.units_page())
    made = {"stadtsinn.js": script, "README.md": page, **_chirpstack(script), **_things(script)}
    return {HERE / name: text for name, text in made.items()}


def main() -> None:
    """Write those that changed and name them."""
    for path, text in files().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(path.relative_to(HERE))


def _between(path: Path, begin: str, end: str, text: str) -> str:
    """The file with `text` between the line that starts with `begin` and the one with `end`."""
    pattern = rf"(^{re.escape(begin)}[^\n]*\n).*?(^{re.escape(end)})"
    old = path.read_text("utf-8")
    new, count = re.subn(pattern, lambda m: m[1] + text + m[2], old, flags=re.DOTALL | re.MULTILINE)
    if count != 1:
        raise ValueError(f"{path.name}: the lines '{begin}' and '{end}' stand there {count} times")
    return new


# -- ChirpStack ----------------------------------------------------------------------------------


def _chirpstack(script: str) -> dict[str, str]:
    vendor = f"""[vendor]
id = "{_id("vendor")}"
name = "Stadtsinn"
vendor_id = 0 # none of the LoRa Alliance
ouis = []

[vendor.metadata]
homepage = ""
"""
    device = f"""[device]
id = "{_id("node")}"
name = "Stadtsinn node"
description = "{DESCRIPTION}"

[[device.firmware]]
version = "1"
profiles = ["stadtsinn-EU868.toml"]
codec = "stadtsinn.js"

[device.metadata]
product_url = ""
documentation_url = ""
"""
    profile = f"""[profile]
id = "{_id("profile EU868")}"
vendor_profile_id = 0
region = "EU868"
mac_version = "1.0.4"
reg_params_revision = "RP002-1.0.3"
supports_otaa = true
supports_class_b = false
supports_class_c = false
max_eirp = 16
{NO_CLASS_BC}"""
    decode = [
        {"name": one["description"], "input": one["input"], "expected": one["output"]}
        for one in _uplink_examples()
    ]
    encode = [
        {
            "name": about,
            "input": {"data": data},
            "expected": {"fPort": DOWNLINK_PORT, "bytes": list(frame)},
        }
        for about, data, frame in vectors.downlinks()
    ]
    return {
        f"{CHIRPSTACK}/vendor.toml": vendor,
        f"{CHIRPSTACK}/devices/stadtsinn-node.toml": device,
        f"{CHIRPSTACK}/profiles/stadtsinn-EU868.toml": profile,
        f"{CHIRPSTACK}/codecs/stadtsinn.js": script,
        f"{CHIRPSTACK}/codecs/test_decode_stadtsinn.json": _json(decode),
        f"{CHIRPSTACK}/codecs/test_encode_stadtsinn.json": _json(encode),
    }


def _id(what: str) -> uuid.UUID:
    """The same identifier in every run."""
    return uuid.uuid5(NAMESPACE, what)


def _json(item: Any) -> str:
    return json.dumps(_tidy(item), indent=2) + "\n"


# -- The Things Stack ----------------------------------------------------------------------------


def _things(script: str) -> dict[str, str]:
    index = {"vendors": [{"id": "stadtsinn", "name": "Stadtsinn", "draft": True}]}
    versions = {"version": "1", "numeric": 1}
    profile = {"id": "node-profile", "lorawanCertified": False, "codec": "node-codec"}
    node = {
        "name": "Node",
        "description": DESCRIPTION,
        "firmwareVersions": [{**versions, "profiles": {"EU863-870": profile}}],
        "devicetype": ["sensor"],
        "sensors": [
            *("temperature", "humidity", "barometer", "co2", "pm2.5", "pm10", "light", "sound"),
        ],
        "keyProvisioning": ["custom"],
        "keyProgramming": ["serial"],
        "keySecurity": "none",
    }
    mac = {
        "macVersion": "1.0.4",
        "regionalParametersVersion": "RP002-1.0.3",
        "supportsJoin": True,
        "maxEIRP": 16,
        "supports32bitFCnt": True,
        "supportsClassB": False,
        "supportsClassC": False,
    }
    place = f"{THINGS}/stadtsinn"
    return {
        f"{THINGS}/index.yaml": _yaml(index),
        f"{place}/index.yaml": _yaml({"endDevices": ["node"]}),
        f"{place}/node.yaml": _yaml(node),
        f"{place}/node-profile.yaml": _yaml(mac),
        f"{place}/node-codec.yaml": _yaml(_things_codec()),
        f"{place}/stadtsinn.js": script,
    }


def _things_codec() -> dict[str, Any]:
    downlinks = vectors.downlinks()
    sent = [
        ({"fPort": DOWNLINK_PORT, "bytes": list(frame)}, data, about)
        for about, data, frame in downlinks
    ]
    examples = {
        "uplinkDecoder": _uplink_examples(normalized=True),
        "downlinkEncoder": [
            {"description": about, "input": {"data": data}, "output": made}
            for made, data, about in sent
        ],
        "downlinkDecoder": [
            {"description": about, "input": made, "output": {"data": data}}
            for made, data, about in sent
        ],
    }
    return {part: {"fileName": "stadtsinn.js", "examples": of} for part, of in examples.items()}


def _uplink_examples(*, normalized: bool = False) -> list[dict[str, Any]]:
    """Those whose meaning is the same whenever they are decoded."""
    made = []
    for one in vectors.uplinks():
        if one.timeless:
            output = expected.uplink(one.frame, vectors.RECEIVED)
            example = {
                "description": one.about,
                "input": {"fPort": one.port, "bytes": list(one.frame)},
                "output": output,
            }
            common = expected.normalized(output["data"])
            if normalized and common:
                example["normalizedOutput"] = {"data": common}
            made.append(example)
    return made


def _yaml(item: Any) -> str:
    return "\n".join(_yaml_lines(_tidy(item))) + "\n"


def _yaml_lines(item: Any) -> list[str]:
    """Block style; lists of plain values on one line."""
    if isinstance(item, dict) and item:
        return [line for key, value in item.items() for line in _yaml_pair(key, value)]
    if isinstance(item, list) and any(isinstance(one, (dict, list)) for one in item):
        blocks = [_yaml_lines(one) for one in item]
        return [("- " if k == 0 else "  ") + line for of in blocks for k, line in enumerate(of)]
    return [_yaml_scalar(item)]


def _yaml_pair(key: str, value: Any) -> list[str]:
    lines = _yaml_lines(value)
    deep = isinstance(value, (dict, list)) and value and not lines[0].startswith("[")
    if not deep:
        return [f"{key}: {lines[0]}"]
    return [f"{key}:", *("  " + line for line in lines)]


def _yaml_scalar(item: Any) -> str:
    if isinstance(item, str):
        return "'" + item.replace("'", "''") + "'"
    if isinstance(item, list):
        return "[" + ", ".join(map(_yaml_scalar, item)) + "]"
    return json.dumps(item)


def _tidy(item: Any) -> Any:
    """Whole numbers without a fraction, as JavaScript writes them."""
    if isinstance(item, dict):
        return {key: _tidy(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_tidy(one) for one in item]
    return int(item) if isinstance(item, float) and item.is_integer() else item


if __name__ == "__main__":
    main()
