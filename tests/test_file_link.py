"""Frames into a folder: a CBOR sequence per day, whole after a full disk and after a power cut."""

import io
import os
from pathlib import Path

import cbor2
import pytest

from agent.clock import VirtualClock
from agent.model.batch import Batch
from agent.transport.links import LinkError
from agent.transport.links.encoder import Encoder
from agent.transport.links.file import FileLink
from tests.conftest import MONDAY

ROWS = Batch("live")
ONE, TWO = bytes.fromhex("84011a01c18685018102"), bytes.fromhex("8401192a2b0143010203")


def frames(path: Path) -> list[object]:
    """What a reader finds in a CBOR sequence."""
    stream, found = io.BytesIO(path.read_bytes()), []
    while stream.tell() < len(stream.getvalue()):
        found.append(cbor2.load(stream))
    return found


def test_a_day_is_a_file_and_without_a_clock_there_is_one_too(tmp_path: Path) -> None:
    clock = VirtualClock(MONDAY)
    link = FileLink(tmp_path / "out", clock, Encoder(clock))
    link.send(ONE, ROWS)
    link.send(TWO, ROWS)
    clock.sleep(86_400)
    link.send(TWO, ROWS)
    clock.unset(True)
    link.send(ONE, ROWS)
    sizes = {path.name: len(frames(path)) for path in (tmp_path / "out").iterdir()}
    assert sorted(sizes.values()) == [1, 1, 2]
    assert "undated.cborseq" in sizes
    assert link.received() == []


@pytest.mark.parametrize("torn", [TWO[:5], bytes(40), TWO[:-1], b"\xff\xff"])
def test_half_a_frame_of_a_power_cut_does_not_swallow_the_next_ones(
    tmp_path: Path, torn: bytes
) -> None:
    clock = VirtualClock(MONDAY)
    FileLink(tmp_path, clock, Encoder(clock)).send(ONE, ROWS)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes() + torn)
    link = FileLink(tmp_path, clock, Encoder(clock))
    link.send(TWO, ROWS)
    link.send(ONE, ROWS)
    assert path.read_bytes() == ONE + TWO + ONE


def test_a_file_damaged_further_up_is_kept_under_another_name(tmp_path: Path) -> None:
    clock = VirtualClock(MONDAY)
    FileLink(tmp_path, clock, Encoder(clock)).send(ONE, ROWS)
    path = next(tmp_path.iterdir())
    damaged = ONE + b"\xff" + TWO * 10
    path.write_bytes(damaged)
    FileLink(tmp_path, clock, Encoder(clock), limit_bytes=51).send(ONE, ROWS)
    assert path.read_bytes() == ONE
    assert next(tmp_path.glob("*-damaged-*")).read_bytes() == damaged


def test_a_full_disk_leaves_no_half_frame_and_the_frame_stays_owed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = FileLink(tmp_path, VirtualClock(MONDAY), Encoder(VirtualClock(MONDAY)))
    link.send(ONE, ROWS)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, frame: write(file, frame[:3]))
    with pytest.raises(LinkError, match="No space left on device") as caught:
        link.send(TWO, ROWS)
    assert str(tmp_path) in caught.value.reason
    assert caught.value.retry_s > 0
    monkeypatch.undo()
    link.send(TWO, ROWS)
    assert next(tmp_path.iterdir()).read_bytes() == ONE + TWO


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LinkError, match=r"file/out: Not a directory"):
        FileLink(
            tmp_path / "file" / "out", VirtualClock(MONDAY), Encoder(VirtualClock(MONDAY))
        ).send(ONE, ROWS)
