"""How a command reaches the load test of the running node: two files in the run directory.

No port is opened: who may write there may ask. `loadtest.request` is linked in whole by the
command and removed by the node, which then answers in `loadtest.json`, renamed in.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.durable import fresh

REQUEST, STATE = "loadtest.request", "loadtest.json"
RUN_DIR = Path("/run/stadtsinn")
POLL_S = 0.05
PATIENCE_S = 10.0  #: real seconds until a command gives up
KEPT = 8  #: answers that wait for whoever asked


class MailboxError(Exception):
    """The node could not be asked; `str()` is one line that says what to do."""


class Mailbox:
    """The node's side."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.state: dict[str, Any] = {}
        self._answers: dict[str, Mapping[str, Any]] = {}

    def open(self) -> None:
        """Forget what was asked of an earlier node, say that this one runs. Raises OSError."""
        self._remove()
        self.tell()

    def request(self) -> Mapping[str, str] | None:
        """What is asked, if anything."""
        path = self.run_dir / REQUEST
        try:
            os.stat(path)
        except OSError:
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {key: str(found[key]) for key in ("id", "do", "text")}
        except (OSError, ValueError, KeyError, TypeError):
            self._remove()
            return None

    def answer(self, request: Mapping[str, str], answer: Mapping[str, Any]) -> None:
        """Answer a request, then take it away. Raises OSError."""
        self._answers[request["id"]] = answer
        while len(self._answers) > KEPT:
            del self._answers[next(iter(self._answers))]
        self.tell()
        self._remove()

    def tell(self) -> None:
        """Let everybody see the state. Raises OSError."""
        part = self.run_dir / f"{STATE}.part"
        part.write_text(json.dumps({**self.state, "answers": self._answers}), encoding="utf-8")
        os.replace(part, self.run_dir / STATE)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            (self.run_dir / REQUEST).unlink()


def read_state(run_dir: Path) -> dict[str, Any]:
    """The state as the node told it last. Raises MailboxError."""
    try:
        state: dict[str, Any] = json.loads((run_dir / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MailboxError(not_running(run_dir)) from error
    except PermissionError as error:
        raise MailboxError(
            f"{run_dir / STATE} may not be read: sudo stadtsinn loadtest …"
        ) from error
    except (OSError, ValueError) as error:
        raise MailboxError(f"{run_dir / STATE} cannot be read: {error}") from error
    return state


def ask(
    run_dir: Path, do: str, text: str = "", pause: Callable[[float], object] = time.sleep
) -> dict[str, Any]:
    """Ask the node and wait for its answer: ok, text, folder. Raises MailboxError."""
    read_state(run_dir)
    number = secrets.token_hex(8)
    part = run_dir / f"{REQUEST}.{number}"
    try:
        with fresh(part) as file:
            file.write(json.dumps({"id": number, "do": do, "text": text}))
        _hand_in(part, run_dir, pause)
        return _answer(run_dir, number, pause)
    except PermissionError as error:
        raise MailboxError(f"{run_dir} may not be written: sudo stadtsinn loadtest …") from error
    except OSError as error:
        raise MailboxError(f"{error.filename or run_dir}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def not_running(run_dir: Path) -> str:
    """What to say where nobody answers."""
    return (
        f"no node answers in {run_dir}: is it running? systemctl status stadtsinn "
        "(of a demo, give --run-dir as the demo says)"
    )


def _hand_in(part: Path, run_dir: Path, pause: Callable[[float], object]) -> None:
    """Link the request in whole, after any other's."""
    for _ in range(round(PATIENCE_S / POLL_S)):
        try:
            os.link(part, run_dir / REQUEST)
        except FileExistsError:
            pause(POLL_S)
        else:
            return
    with contextlib.suppress(OSError):  # left by a command that died while no node was there
        (run_dir / REQUEST).unlink()
    raise MailboxError(not_running(run_dir))


def _answer(run_dir: Path, number: str, pause: Callable[[float], object]) -> dict[str, Any]:
    for _ in range(round(PATIENCE_S / POLL_S)):
        answer: dict[str, Any] | None = read_state(run_dir).get("answers", {}).get(number)
        if answer is not None:
            return answer
        pause(POLL_S)
    with contextlib.suppress(OSError):
        (run_dir / REQUEST).unlink()
    raise MailboxError(not_running(run_dir))
