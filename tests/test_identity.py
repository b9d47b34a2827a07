"""Who a node is: an id bound to its machine, an epoch of its store."""

import json
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.codec import decoder
from agent.transport.airtime import Scratch
from agent.transport.install import identity, install_id
from tests.rig import make_rig


def machine(root: Path, serial: str = "", card: str = "", *, usb: str = "") -> Path:
    """A /proc and /sys with a serial number, a built-in network card, one of a virtual kind."""
    if serial:
        (root / "proc/device-tree").mkdir(parents=True)
        (root / "proc/device-tree/serial-number").write_bytes(serial.encode() + b"\0")
    for name, address, kind in (("eth0", card, "0"), ("usb0", usb, "0"), ("veth1", "12:34", "3")):
        folder = root / "sys/class/net" / name
        folder.mkdir(parents=True)
        (folder / "address").write_text(f"{address}\n")
        (folder / "addr_assign_type").write_text(f"{kind}\n")
        (folder / "device").mkdir()
    return root


def test_an_id_is_made_once_and_kept(tmp_path: Path) -> None:
    path, here = tmp_path / "store.db.id", machine(tmp_path / "pi", "10000000a1b2c3d4")
    made = install_id(path, here)
    assert len(made) == 8
    assert install_id(path, here) == made
    assert "a1b2c3d4" not in path.read_text()  # the file tells nobody the serial number


def test_a_card_that_wakes_in_another_machine_gets_a_new_id_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.db.id"
    made = install_id(path, machine(tmp_path / "pi", "10000000a1b2c3d4"))
    there = machine(tmp_path / "other", "10000000ffffffff")
    other = install_id(path, there)
    assert other != made
    assert "was made on another machine" in caplog.text
    assert install_id(path, there) == other


def test_an_adapter_that_comes_and_goes_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db.id"
    made = install_id(path, machine(tmp_path / "a", card="dc:a6:32:00:00:01"))
    both = machine(tmp_path / "b", card="dc:a6:32:00:00:01", usb="00:e0:4c:00:00:02")
    assert install_id(path, both) == made
    assert install_id(path, machine(tmp_path / "c", usb="00:e0:4c:00:00:02")) == made


def test_a_machine_that_tells_nothing_of_itself_keeps_its_id(tmp_path: Path) -> None:
    path, nothing = tmp_path / "store.db.id", tmp_path / "container"
    made = install_id(path, nothing)
    assert install_id(path, nothing) == made
    assert install_id(path, machine(tmp_path / "pi", "10000000a1b2c3d4")) == made
    assert install_id(path, nothing) == made
    assert install_id(path, machine(tmp_path / "other", "10000000ffffffff")) != made


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "zz", "machine": []}', '{"id": "00"}'])
def test_a_file_that_cannot_be_read_is_made_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "store.db.id"
    path.write_text(text)
    made = install_id(path, tmp_path)
    assert json.loads(path.read_text())["id"] == made.hex()


def test_where_nothing_can_be_written_the_node_has_an_id_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(install_id(tmp_path / "away" / "store.db.id", tmp_path)) == 8
    assert "install=not-kept" in caplog.text


def test_each_store_has_an_epoch_and_a_store_set_aside_keeps_the_id(tmp_path: Path) -> None:
    first, second = (identity(tmp_path / "store.db", Scratch(), tmp_path) for _ in range(2))
    assert first.install == second.install
    assert first.epoch != second.epoch
    memory = Scratch()
    assert identity(tmp_path / "store.db", memory).epoch == identity(tmp_path / "x", memory).epoch


def test_hello_tells_both(tmp_path: Path, clock: VirtualClock) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(130)
    frames = (decoder.decode(one, lambda _: None) for one in rig.link.frames)
    hello = next(one for one in frames if isinstance(one, decoder.Hello))
    assert hello.items[4] == rig.node.identity.install
    assert hello.items[5] == rig.node.identity.epoch
    assert rig.node.snapshot()["id"] == rig.node.identity.install.hex()
    rig.node.close()
