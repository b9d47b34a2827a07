"""Who this node is, whatever it is called: an id made once on this machine, and one of the store.

Names are copied with profiles, and cards are cloned. The id is random and bound to the machine by
what cloning does not copy: a card that wakes in another one gets a new id.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.durable import fresh, sync_folder
from agent.transport.airtime import Memory

log = logging.getLogger(__name__)

ID_BYTES = 8
MARK_BYTES = 8
SERIALS = ("proc/device-tree/serial-number", "sys/class/dmi/id/product_uuid")
NETWORK = "sys/class/net"
PERMANENT = "0"  # Linux ABI, sysfs-class-net, addr_assign_type
EPOCH = "epoch"


@dataclass(frozen=True)
class Identity:
    """Both in 8 bytes; empty where nothing is known."""

    install: bytes = b""
    epoch: bytes = b""  #: new with every store


def identity(store: Path, memory: Memory, root: Path = Path("/")) -> Identity:
    """Of the node with this store, on the machine whose /proc and /sys lie in `root`."""
    return Identity(install_id(store.with_name(store.name + ".id"), root), epoch(memory))


def epoch(memory: Memory) -> bytes:
    """The store's own number, made with it."""
    kept = memory.setting(EPOCH)
    if kept is None:
        kept = secrets.token_bytes(ID_BYTES)
        memory.set_setting(EPOCH, kept)
    return kept


def install_id(path: Path, root: Path) -> bytes:
    """The id kept in a file; a new one where there is none, or where it is another machine's."""
    here = marks(root)
    kept, there = read(path)
    if kept and (not there or not here or there & here):
        if here and not here <= there:  # the machine has got another card, or told nothing before
            write(path, kept, there | here)
        return kept
    made = secrets.token_bytes(ID_BYTES)
    if kept:
        log.warning("install=new reason='%s was made on another machine'", path)
    write(path, made, here)
    return made


def marks(root: Path) -> frozenset[str]:
    """What cloning a card does not copy: serial numbers, addresses of built-in network cards.

    As hashes, so that the file tells nobody the address.
    """
    return frozenset(
        hashlib.sha256(one.encode()).hexdigest()[: 2 * MARK_BYTES] for one in raw(root)
    )


def raw(root: Path) -> Iterator[str]:
    """Serial numbers and addresses of this machine, as far as it tells them."""
    for name in SERIALS:
        if word := text(root / name):
            yield word
    folder = root / NETWORK
    for card in sorted(folder.iterdir()) if folder.is_dir() else ():
        real = (card / "device").exists() and text(card / "addr_assign_type") == PERMANENT
        if real and (address := text(card / "address")):
            yield address


def text(path: Path) -> str:
    """A short file's words; none where it cannot be read."""
    try:
        return path.read_bytes().decode("ascii", "replace").strip("\0\n ")
    except OSError:
        return ""


def read(path: Path) -> tuple[bytes, frozenset[str]]:
    """Id and marks of the machine it was made on."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        made = bytes.fromhex(kept["id"])
        return (made if len(made) == ID_BYTES else b""), frozenset(map(str, kept["machine"]))
    except FileNotFoundError:
        return b"", frozenset()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("install=unreadable reason='%s: %s'", path, error)
        return b"", frozenset()


def write(path: Path, made: bytes, machine: frozenset[str]) -> None:
    """Keep it; where that cannot be, the id ends with the process."""
    part = path.with_name(path.name + ".part")
    try:
        with fresh(part) as file:
            json.dump({"id": made.hex(), "machine": sorted(machine)}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        log.warning("install=not-kept reason='%s: %s'", path, error.strerror)
