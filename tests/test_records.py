"""Raw records: files, a list of them, CSV."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from agent.events.folder import Records
from agent.events.records import (
    RecordError,
    Segment,
    read,
    write,
)
from tests.record_kit import SCHOOL, record

# -- files ----------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    one = record()
    write(tmp_path / "a.record", one)
    assert read(tmp_path / "a.record") == one
    assert [path.name for path in tmp_path.iterdir()] == ["a.record"]
    assert (one.head.samples, one.head.missing) == (500, 7)
    assert list(one.head.times()) == [(250, 0.0), (250, 257 / 125.031)]
    assert one.head.length_s == 507 / 125.031


def test_its_page_of_bytes_is_what_the_module_says(tmp_path: Path) -> None:
    write(tmp_path / "a.record", record())
    first, head, data = (tmp_path / "a.record").read_bytes().split(b"\n", 2)
    assert first.startswith(b"STADTSINN RECORD 1 ")
    assert b'"stream":"deck","axes":["x","y","z"]' in head
    assert b'"segments":[[0,250],[7,250]]' in head
    assert data == record().data


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-4],
        lambda content: content + b"\0\0\0\0",
        lambda content: content.replace(b"[7,250]", b"[8,250]"),
        lambda content: content[:300] + bytes([content[300] ^ 1]) + content[301:],
        lambda content: b"",
        lambda content: content[100:],
    ],
    ids=["cut", "longer", "head", "one bit", "empty", "no first line"],
)
def test_a_damaged_record_is_refused(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.record"
    write(path, record())
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(RecordError, match=r"a\.record: is no record, or damaged"):
        read(path)


def test_a_record_that_is_gone_or_of_a_later_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file"):
        read(tmp_path / "none.record")
    one = record(segments=(Segment(0, 499),))
    write(tmp_path / "a.record", one)
    with pytest.raises(RecordError, match="are not 499 samples"):
        read(tmp_path / "a.record")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.record").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "a.record", record())
    assert [path.name for path in tmp_path.iterdir()] == ["a.record"]


# -- export ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A profile, and three records beside its store, one of them damaged."""
    text = SCHOOL.read_text().replace("/var/lib/stadtsinn/store.db", str(tmp_path / "store.db"))
    (tmp_path / "node.toml").write_text(text)
    records = Records(tmp_path / "records")
    records.save(record(1, samples=4, segments=(Segment(0, 2), Segment(7, 2))))
    records.path(2).write_bytes(b"?")
    records.save(record(3, start=None, units=("um/m",) * 3, segments=(Segment(0, 500),)))
    return tmp_path


def export(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(group, ["export", str(folder / "node.toml"), *options])


def test_records_are_listed(folder: Path) -> None:
    done = export(folder, "--records")
    assert done.exit_code == 0
    first, second, third = done.output.splitlines()
    assert first.lstrip() == (
        "1  2026-01-05T08:00:00.250Z  deck  0.1 s, 1 gap, 7 samples missing  begin"
    )
    assert "damaged" in second
    assert "no date  deck  4.0 s  begin" in third
    (folder / "none").mkdir()
    assert "no records in" in export(folder, "--records", "--store", str(folder / "none/x")).output


def test_a_record_becomes_csv_with_its_gap_as_an_empty_row(folder: Path) -> None:
    floats = record(1, samples=4).floats()
    done = export(folder, "--record", "1")
    rows = [row.split(",") for row in done.stdout_bytes.decode().split("\r\n")]
    assert rows[0] == ["time", "t [s]", "x [m/s²]", "y [m/s²]", "z [m/s²]"]
    assert rows[1][:2] == ["2026-01-05T08:00:00.250Z", "0"]
    assert [float(one) for one in rows[1][2:]] == pytest.approx(list(floats[:3]), abs=1e-9)
    assert rows[3][2:] == ["", "", ""]
    assert float(rows[3][1]) == pytest.approx(2 / 125.031, abs=1e-6)
    assert float(rows[4][1]) == pytest.approx(9 / 125.031, abs=1e-6)
    assert len(rows) == 7


def test_a_record_becomes_csv_for_german_excel(folder: Path) -> None:
    target = folder / "kran.csv"
    done = export(folder, "--record", "3", "--german", "--output", str(target))
    assert "500 rows" in done.output
    rows = target.read_bytes().split(b"\r\n")
    assert rows[0] == "\ufefftime;t [s];x [µm/m];y [µm/m];z [µm/m]".encode()
    assert rows[1].startswith(b";0;")
    assert b"," in rows[1]
    done = export(folder, "--record", "1", "--german")
    assert ".2026 " in done.output
    assert ",250;0;" in done.output


def test_a_record_that_is_not_there_is_one_line(folder: Path) -> None:
    done = export(folder, "--record", "9")
    assert done.exit_code == 1
    assert "no such file" in done.output
    assert "export --records" in done.output
    assert export(folder, "--record", "2").exit_code == 1
