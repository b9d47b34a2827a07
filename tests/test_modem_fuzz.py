"""Eight thousand damaged modem lines; `make fuzz` runs the million."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from drivers.keys import Keys
from tests.fuzz import fuzz_modem
from tests.modem_kit import APP_KEY, DEV_EUI, JOIN_EUI


@pytest.mark.no_cover
def test_damaged_lines_make_no_crash_no_hang_and_no_false_success() -> None:
    fuzz_modem.run(8_000, seed=3)


@pytest.mark.parametrize("dialect", fuzz_modem.DIALECTS, ids=lambda one: one[0].__name__)
def test_what_the_fuzzer_starts_from_is_understood(
    dialect: tuple[type, Callable[[str], list[str]], bytes],
) -> None:
    kind, answer, end = dialect
    wire = fuzz_modem.Wire(answer, end, Random(1))
    modem = kind(wire, Keys(DEV_EUI, JOIN_EUI, APP_KEY))
    modem.setup()
    modem.join()
    fuzz_modem.frame(modem, wire, False)
    assert [downlink.payload for downlink in modem.received()] == [b"\x85\x01"]
    assert modem.joined()


def test_the_fuzzers_own_judgement_tells_sent_from_not_sent() -> None:
    said = {
        "RAK3172": b"OK\r\n+EVT:TX_DONE\r\n",
        "LoRaE5": b"+MSGHEX: Start\r\n+MSGHEX: Done\r\n",
        "RN2483": b"ok\r\nmac_tx_ok\r\n",
        "LA66": b"OK\r\ntxDone\n\rrxTimeout\n\r",
    }
    for kind, _, _ in fuzz_modem.DIALECTS:
        words = said[kind.__name__]
        assert fuzz_modem.sent(kind, words, False)
        assert not fuzz_modem.sent(kind, words[5:], False)
        assert not fuzz_modem.sent(kind, words[:-4], False)
