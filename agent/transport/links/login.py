"""How an MQTT client gets in: user, password, TLS, session; and in words why it does not."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.config.sections import MqttConfig
from agent.transport.links.one_connection import LONGEST_PACKET, OneConnection

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
TLS = ("mqtts", "wss")
CONNECT_S = 5.0
SESSION_S = 7 * 86_400  #: how long the broker keeps downlinks for us
DOWNLINKS = 20  #: that may be on their way unacknowledged, Receive Maximum
NOBODY = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)


class FileTrouble(OSError):
    """A file of ours cannot be used; says which and why."""


def new_client(
    config: MqttConfig, name: str, version: MQTTProtocolVersion, *, clean: bool = False
) -> OneConnection:
    """A client for one connection; it acknowledges downlinks only when it is told to.

    `clean`: what the broker has kept for us is forgotten.
    """
    url = urlsplit(config.url)
    client = OneConnection(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        protocol=version,
        clean_session=None if version == MQTTv5 else clean,
        transport="websockets" if url.scheme in ("ws", "wss") else "tcp",
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_S
    client.proxy = config.proxy
    if url.scheme in ("ws", "wss"):
        client.ws_set_options(path=(url.path or "/mqtt") + (f"?{url.query}" if url.query else ""))
    return client


def connect(
    client: OneConnection, config: MqttConfig, version: MQTTProtocolVersion, *, clean: bool
) -> None:
    """Connect and say CONNECT; the session is carried on. Raises OSError, ValueError."""
    url = urlsplit(config.url)
    port = url.port or PORTS[url.scheme]
    session: dict[str, Any] = {}
    if version == MQTTv5:
        session = {"clean_start": clean, "properties": session_properties()}
    client.connect(url.hostname or "", port, config.keepalive_s, **session)


def log_in(client: OneConnection, config: MqttConfig) -> None:
    """User, password, TLS, read anew each time: a renewed certificate is used without restart.

    Raises FileTrouble.
    """
    try:
        if config.user:
            password = None
            if config.password_file:
                password = Path(config.password_file).read_text("utf-8").rstrip("\r\n")
            client.username_pw_set(config.user, password)
        if urlsplit(config.url).scheme in TLS:
            client.tls_set(
                config.ca_file or None,
                config.certificate_file or None,
                config.key_file or None,
                tls_version=ssl.PROTOCOL_TLS_CLIENT,
            )
    except (OSError, ValueError) as error:
        raise FileTrouble(file_trouble(config, error)) from error


def file_trouble(config: MqttConfig, error: Exception) -> str:
    """Which file cannot be used, and why."""
    if isinstance(error, UnicodeDecodeError):  # its own words show a byte of the password
        return f"{config.password_file}: is not UTF-8 text"
    files = (config.password_file, config.ca_file, config.certificate_file)
    name = getattr(error, "filename", None) or " ".join(filter(None, files))
    hint = ": it must belong to the agent's user" if isinstance(error, PermissionError) else ""
    return f"{name}: {getattr(error, 'strerror', None) or error}{hint}"


def session_properties() -> Properties:
    """What we ask for (MQTT 5, 3.1.2.11).

    The broker keeps our downlinks while we are away, sends few at a time, and none too long.
    """
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    properties.ReceiveMaximum = DOWNLINKS
    properties.MaximumPacketSize = LONGEST_PACKET
    return properties


def unreachable(error: BaseException) -> bool:
    """Whether nobody was there, rather than somebody who did not want to."""
    if isinstance(error, ssl.SSLError) or "handshake" in str(error):
        return False
    if isinstance(error, socket.gaierror | TimeoutError):
        return True
    return isinstance(error, OSError) and error.errno in NOBODY


def plain(error: BaseException) -> str:
    """A connection error in few words a person can act on."""
    if isinstance(error, FileTrouble):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "; is the clock right?" if "not yet valid" in error.verify_message else ""
        return f"TLS: {error.verify_message}{hint}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "the broker's name cannot be resolved"
    if isinstance(error, TimeoutError):
        return "the broker cannot be reached: timed out"
    if isinstance(error, OSError):
        return f"the broker cannot be reached: {(error.strerror or str(error)).lower()}"
    return str(error)
