"""A mosquitto of our own on a free loopback port: for the demo and the tests."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

START_S = 10.0
STOP_S = 5.0
PORTS = range(20_000, 32_000)  #: below those the kernel gives to clients


def installed() -> str | None:
    """Path of the mosquitto binary, if there is one; Debian keeps it off a user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A TCP port of the loopback nobody uses now. Raises OSError where there is none."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port in {PORTS.start} to {PORTS.stop - 1}")


class Broker:
    """One mosquitto process with its own configuration in `folder`."""

    def __init__(self, folder: Path, *, port: int = 0, extra: str = "", listener: str = "") -> None:
        self.folder, self.port = folder, port or free_port()
        self.extra, self.listener = extra, listener
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it accepts connections. Raises RuntimeError with its own words."""
        binary = installed()
        if binary is None:
            raise RuntimeError("mosquitto is not installed: sudo apt install mosquitto")
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text(self._config())
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary, "-c", str(config)], stdout=log, stderr=log, start_new_session=True
            )
        self._await_listening()

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it like a power cut."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Keep its connections open and answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._signal(signal.SIGCONT)

    def _config(self) -> str:
        lines = [
            f"listener {self.port} 127.0.0.1",
            self.listener,
            "" if "allow_anonymous" in self.extra else "allow_anonymous true",
            "persistence true",  # the far side's session outlives a broker that was away
            f"persistence_location {self.folder}/",
            f"user {os.environ.get('USER', 'root')}" if os.geteuid() == 0 else "",
            self.extra,
        ]
        return "\n".join(line for line in lines if line) + "\n"

    def _await_listening(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"mosquitto: {(self.folder / 'mosquitto.log').read_text()[-500:]}")

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
