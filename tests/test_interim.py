"""A store that cannot be opened: the node goes on in memory, and writes it all later."""

import os
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.model.batch import EVENT
from agent.store import LinkPolicy, Store
from agent.store.database import NotOurs
from agent.store.interim import AGAIN_S, Interim, open_store
from tests.durable.kit import AIR, Kit


class Away(Kit):
    """A kit whose store is in memory: its folder is not there, and cannot be made."""

    def __init__(self, path: Path, clock: VirtualClock) -> None:
        self.clock = clock
        self.store = open_store(path, clock, max_bytes=10**8, max_days=800)
        self.store.new_event = self.event
        self.layout = self.store.layout("air", AIR, 60)
        self.store.links({"city": LinkPolicy(), "file": LinkPolicy()})


@pytest.fixture
def gone(tmp_path: Path) -> Path:
    """A store whose disk is not mounted: a link that leads nowhere stands in its place."""
    (tmp_path / "disk").symlink_to(tmp_path / "unplugged")
    return tmp_path / "disk" / "store.db"


def plug(path: Path) -> None:
    path.parent.unlink()
    path.parent.mkdir()


def test_without_its_disk_a_node_measures_and_sends_at_once(
    gone: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    node = Away(gone, clock)
    assert isinstance(node.store, Interim)
    assert node.put(3) == [1, 2, 3]
    assert node.drain() == [[3, 2, 1]]
    assert f"{gone.parent} is not there" in caplog.text
    assert "sudo mount -a" in caplog.text


def test_what_memory_holds_moves_into_the_file_with_what_was_delivered(
    gone: Path, clock: VirtualClock
) -> None:
    node = Away(gone, clock)
    node.put(3)
    node.drain()
    node.later()
    node.put(2)
    node.store.post(node.message(b"\x01\x02"))
    assert node.store.counts().owed == {"city": 2, "file": 5}
    plug(gone)
    node.store.close()
    with_file = Kit(gone, clock)
    with_file.store.links({"city": LinkPolicy(), "file": LinkPolicy()})
    assert with_file.kept() == [1, 2, 3, 4, 5]
    assert with_file.store.counts().owed == {"city": 2, "file": 5}
    assert with_file.store.counts().lost == 0
    event = with_file.due().message
    assert event is not None
    assert (event.kind, event.body, event.boot) == (EVENT, b"\x01\x02", with_file.store.boot)
    assert with_file.drain() == [[5, 4]]
    with_file.store.close()


def test_rows_move_behind_those_of_the_file(gone: Path, clock: VirtualClock) -> None:
    plug(gone)
    before = Kit(gone, clock)
    before.store.links({"city": LinkPolicy(), "file": LinkPolicy()})
    deck = before.store.layout("deck", AIR, 60)
    before.put(4)
    before.put(2, deck)
    before.drain()
    before.store.set_setting("sensor/rain", b"1700")
    before.store.set_setting("interval/air", b"old")
    before.store.close()
    gone.parent.rename(gone.parent.with_name("pulled"))
    gone.parent.symlink_to("unplugged")
    clock.sleep(60)
    node = Away(gone, clock)
    assert node.store.boot > 1_000_000
    node.put(3)
    node.store.set_setting("sensor/rain", b"0")
    node.store.set_setting("sensor/new", b"1")
    node.store.set_setting("epoch", b"memory's")
    node.store.link("city").command(77, 0, b"ack", {"interval/air": b"new"})
    gone.parent.unlink()
    gone.parent.with_name("pulled").rename(gone.parent)
    node.store.close()
    after = Kit(gone, clock)
    after.store.links({"city": LinkPolicy(), "file": LinkPolicy()})
    assert after.kept() == [1, 2, 3, 4, 5, 6, 7]
    assert after.kept("deck") == [1, 2]
    assert after.store.boot == before.store.boot
    assert after.store.setting("sensor/rain") == b"1700"
    assert after.store.setting("sensor/new") == b"1"
    assert after.store.setting("epoch") is None
    assert after.store.setting("interval/air") == b"new"
    assert after.store.link("city").result_of(77) == 0
    assert after.store.counts().owed == {"city": 3, "file": 9}
    after.store.close()


def test_undated_rows_go_out_again_under_the_boot_of_the_file(gone: Path) -> None:
    clock = VirtualClock(trust="")
    node = Away(gone, clock)
    clock.sleep(10_000)
    node.put(2)
    node.drain()
    plug(gone)
    node.store.close()
    after = Kit(gone, clock)
    after.store.links({"city": LinkPolicy()})
    assert {row.boot for _, row in after.store.rows("air")} == {after.store.boot}
    assert after.store.counts().owed == {"city": 2}
    after.store.close()


def test_each_minute_the_file_is_tried_and_the_node_begins_again_with_it(
    gone: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    node, stops = Away(gone, clock), list[str]()
    assert isinstance(node.store, Interim)
    caplog.clear()
    assert node.store.step(lambda: stops.append("stop")) == AGAIN_S == 60
    assert not stops
    assert not caplog.records, "said once"
    plug(gone)
    node.store.step(lambda: stops.append("stop"))
    assert stops == ["stop"]
    assert node.store.again


def test_rows_that_cannot_move_at_the_end_are_counted_in_words(
    gone: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    node = Away(gone, clock)
    node.put(3)
    node.store.close()
    assert "state=lost rows=3" in caplog.text
    caplog.clear()
    node.store.close()
    assert not caplog.records


def test_memory_has_a_bound(gone: Path, clock: VirtualClock) -> None:
    node = Away(gone, clock)
    node.store._retention.max_bytes = 1_100_000
    node.put(2000)
    node.drain()
    node.store.retain()
    assert 0 < node.store.counts().rows < 2000


def test_a_store_in_use_ends_the_second_process(tmp_path: Path, clock: VirtualClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        open_store(tmp_path / "file" / "store.db", clock, max_bytes=10**8, max_days=800)
    store = Store(tmp_path / "store.db", clock)
    store.open()
    child = os.fork()
    if child == 0:
        try:
            open_store(tmp_path / "store.db", clock, max_bytes=10**8, max_days=800)
        except NotOurs:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    store.close()
