"""Modems whose settings are read by AT+NAME=? and written by AT+NAME=value, ended by OK."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import BUSY, TOO_LONG, DataError, ModemError
from drivers.keys import bare
from drivers.modems.serial_modem import BUSY_S, SerialModem


class SettingsModem(SerialModem):
    """Holds session, keys and settings in its flash: asked at each start, written if different."""

    refusals: Mapping[str, str] = {}  #: the firmware's word -> reason
    identity = ("DEVEUI", "APPEUI", "APPKEY")  #: names of the keys

    def joined(self) -> bool:
        """Whether it holds a session of these keys. Raises DeviceError."""
        return not self._rekeyed and self._read("NJS") == "1"

    def data_rate(self) -> int:
        """The present data rate. Raises DeviceError."""
        text = self._read("DR")
        if text not in tuple("0123456"):
            raise DataError(f"{self.port.path}: data rate {text!r}")
        return int(text)

    def _value(self, name: str, line: str) -> str | None:
        """The value that a line of the answer holds; None if it holds none."""
        raise NotImplementedError

    def _nudge(self, attempt: int) -> None:
        self.port.write(b"\r\n")
        self.port.pause(0.05)

    def _greets(self, line: str) -> bool:
        return line == "OK" or line in self.refusals

    def _check(self, payload: bytes) -> None:
        """Raise ModemError for a payload that it would answer by an empty frame."""
        if not 0 < len(payload) <= self.limit():
            raise ModemError(TOO_LONG if payload else "empty payload", 0.0)

    def _read(self, name: str) -> str:
        """The value of a setting: a line that holds one, then OK. Raises ModemError."""
        value = ""
        for line in self.talk.ask(f"AT+{name}=?"):
            if line == "OK" and value:
                return value
            if line in self.refusals:
                raise ModemError(f"AT+{name}: {self.refusals[line]}", BUSY_S)
            found = self._value(name, line)
            if found is not None:
                value = found
            elif line != "OK":
                self._unasked(line)
        raise AssertionError

    def _ensure(self, name: str, value: str) -> bool:
        """Write a setting if it differs: each write wears the flash. True if written."""
        if not self._differs(name, value):
            return False
        self._do(f"{name}={value}")
        return True

    def _differs(self, name: str, value: str) -> bool:
        """Whether a setting is another; asked twice: a garbled answer must not end a session."""
        return all(bare(self._read(name)) != value for _ in range(2))

    def _configure(self) -> None:
        """Class A, join by keys, the duty cycle kept; see whose session it holds."""
        for name, value in (("NJM", "1"), ("CLASS", "A"), ("DCS", "1")):
            self._ensure(name, value)
        self._ensure("ADR", str(int(self.adr)))
        self._rekeyed = any(self._differs(*one) for one in self._identity())

    def _identity(self) -> list[tuple[str, str]]:
        """Written by `join` only, so that setup finds a session of other keys until then."""
        keys = (self.keys.dev_eui, self.keys.join_eui, self.keys.app_key)
        return list(zip(self.identity, keys, strict=True))

    def _take_keys(self) -> None:
        for name, value in self._identity():
            self._ensure(name, value)

    def _do(self, command: str) -> None:
        """A command that answers with OK or a refusal. Raises ModemError."""
        for line in self.talk.ask(f"AT+{command}"):
            if line == "OK":
                return
            if line in self.refusals:
                raise self._refusal(line)
            self._unasked(line)

    def _refusal(self, line: str) -> ModemError:
        """The reason a refusal gives."""
        return ModemError(self.refusals[line], BUSY_S if self.refusals[line] == BUSY else 0.0)
