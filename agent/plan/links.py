"""Links of a profile: what they carry, and what each kind needs beyond the shape of its keys."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from agent.config.errors import near
from agent.config.sections import (
    Config,
    LinkConfig,
    LorawanConfig,
    MqttConfig,
)
from agent.config.source import Source
from agent.measure.driver_registry import DriverError, find_modem
from agent.plan.names import unique
from agent.plan.triggers import RECORDS, check_carrier
from drivers.keys import Keys

LAST_PORT = 65_535
TLS_URLS = ("mqtts:", "wss:")
TLS_KEYS = ("ca_file", "certificate_file", "key_file")
EVENTS = "events"  #: what `carries` calls everything that is no row


def check_links(config: Config, source: Source) -> None:
    """Names are unique, `carries` names tables. Raises ConfigError."""
    unique(source, "link", (link.name for link in config.link))
    known = [*(table.name for table in config.table), EVENTS, RECORDS]
    for index, link in enumerate(config.link):
        for word in link.carries or ():
            if word not in known:
                hint = f"no table '{word}'{near(word, known)}"
                raise source.error(f"link[{index}]", "carries", hint)
        check_carrier(link, source, f"link[{index}]")
        if isinstance(link, LorawanConfig):
            _check_radio(link, source, f"link[{index}]")
            owner = next((one.name for one in config.instrument if one.bus == link.port), None)
            if owner is not None:
                hint = f"{link.port} belongs to instrument '{owner}' already"
                raise source.error(f"link[{index}]", "port", hint)
        if isinstance(link, MqttConfig):
            check_mqtt(link, source, f"link[{index}]")
    check_clients(config.link, source)


def _check_radio(link: LorawanConfig, source: Source, where: str) -> None:
    """The modem exists, the keys have their length."""
    try:
        find_modem(link.modem)
    except DriverError as error:
        raise source.error(where, "modem", str(error)) from error
    try:
        Keys(link.dev_eui, link.join_eui, "0" * 32)
    except ValueError as error:
        key, _, hint = str(error).partition(": ")
        raise source.error(where, key, hint) from error


def check_mqtt(link: MqttConfig, source: Source, where: str) -> None:
    """The port exists; no key waits in vain for another one. Raises ConfigError."""
    place = link.url.partition("//")[2].partition("/")[0]
    port = place.rpartition(":")[2]
    if port.isdigit() and not 1 <= int(port) <= LAST_PORT:
        raise source.error(where, "url", f"port {port} does not exist: 1 to {LAST_PORT}")
    host = place if link.url.startswith("ws") else link.url.rpartition("//")[2]
    try:
        (urlsplit(link.url).hostname or "").encode("idna")
    except ValueError:
        raise source.error(where, "url", f"'{host}' is no name of a host") from None
    if link.password_file and not link.user:
        raise source.error(where, "password_file", "needs 'user' as well")
    if link.key_file and not link.certificate_file:
        raise source.error(where, "key_file", "needs 'certificate_file' as well")
    for key in TLS_KEYS:
        if getattr(link, key) and not link.url.startswith(TLS_URLS):
            raise source.error(where, key, "needs a url that begins with mqtts:// or wss://")
    for key in ("user", "client_id"):
        if not getattr(link, key).isprintable():
            raise source.error(where, key, "has a character that cannot be printed")


def check_clients(links: Sequence[LinkConfig], source: Source) -> None:
    """Two links to one broker have two client ids, or each throws the other out.

    Raises ConfigError.
    """
    taken: dict[tuple[str, str], str] = {}
    for index, link in enumerate(links):
        if not isinstance(link, MqttConfig):
            continue
        other = taken.setdefault((link.url.rstrip("/"), link.client_id), link.name)
        if other != link.name:
            hint = f"link '{other}' goes to this broker already: give this one a client_id"
            raise source.error(f"link[{index}]", "url", hint)
