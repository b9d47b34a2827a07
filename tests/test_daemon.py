"""Jobs in threads: stop, crash, watchdog; the same jobs in virtual time."""

import socket
import threading
from pathlib import Path

import pytest

from agent.clock import Clock, VirtualClock
from agent.daemon import Daemon, Job, notify, run_virtual


def daemon(*jobs: Job) -> Daemon:
    return Daemon(jobs, Clock(), lambda: "fine", threading.Event())


def test_a_stop_from_inside_a_job_ends_all_with_zero() -> None:
    steps: list[str] = []

    def first() -> float:
        steps.append("a")
        return 3600.0

    def last() -> float:
        steps.append("b")
        one.stop()
        return 3600.0

    one = daemon(Job("a", first), Job("b", last))
    assert one.run() == 0
    assert sorted(steps) == ["a", "b"]


def test_without_a_service_manager_it_runs_and_says_that_nobody_watches(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    def only() -> float:
        one.stop()
        return 3600.0

    one = daemon(Job("a", only))
    assert one.run() == 0
    assert "watchdog=none reason='not started by a service manager'" in caplog.messages
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    monkeypatch.delattr(socket, "AF_UNIX")  # Windows
    assert not notify("READY=1")


@pytest.mark.parametrize("error", [RuntimeError("bug"), SystemExit(0)])
def test_a_job_that_raises_ends_all_with_one(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def crash() -> float:
        raise error

    assert daemon(Job("good", lambda: 3600.0), Job("bad", crash)).run() == 1
    assert "thread=bad state=crashed" in caplog.text


def test_the_watchdog_is_fed_only_while_every_job_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    one = daemon(Job("table", lambda: 1.0))
    one._feed()
    assert manager.recv(100) == b"WATCHDOG=1\nSTATUS=fine"
    one.clock.beats["table"] = one.clock.monotonic() - 61
    one._feed()
    assert manager.recv(100) == b"STATUS=no sign of life from table"
    manager.close()
    one._feed()  # a manager that went away harms nothing


def test_a_first_step_that_never_ends_is_missed() -> None:
    clock, begun, go = VirtualClock(), threading.Event(), threading.Event()

    def hang() -> float:
        begun.set()
        go.wait(5)
        return 1.0

    daemon = Daemon([Job("stuck", hang)], clock, lambda: "", threading.Event())
    thread = threading.Thread(target=daemon.repeat, args=(daemon.jobs[0],), name="stuck")
    thread.start()
    begun.wait(5)
    assert "stuck" in clock.beats
    daemon.stop()
    go.set()
    thread.join()


def test_an_abstract_socket_of_the_manager_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0stadtsinn-test")
        monkeypatch.setenv("NOTIFY_SOCKET", "@stadtsinn-test")
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_virtual_time_steps_jobs_when_they_are_due_and_when_woken() -> None:
    clock, log = VirtualClock(), list[tuple[str, float]]()

    def slowly() -> float:
        log.append(("slow", clock.monotonic()))
        return 100.0

    slow = Job("slow", slowly)

    def quick() -> float:
        log.append(("quick", clock.monotonic()))
        if clock.monotonic() == 20:
            slow.wake.set()
        return 10.0

    run_virtual([Job("quick", quick), slow], clock, 30)
    assert log == [
        ("quick", 0), ("slow", 0), ("quick", 10), ("quick", 20), ("slow", 20), ("quick", 30),
    ]  # fmt: skip
    assert clock.monotonic() == 30


def test_virtual_time_ends_where_a_job_asks_for_its_turn_again_and_again() -> None:
    clock, stopping = VirtualClock(), threading.Event()

    def stuck() -> float:
        stopping.set()
        return 0.0  # as a link does that is told to stop while a frame is on its way

    run_virtual([Job("link", stuck)], clock, 30, stopping)
    assert clock.monotonic() == 0
