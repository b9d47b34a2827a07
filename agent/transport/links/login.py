"""How an MQTT client gets in: user, password, TLS, session; and in words why it does not."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.config.sections import MqttConfig
from agent.transport.links import LinkError

PORTS = {"mqtt": 1883, "mqtts": 8883}
CONNECT_S = 5.0
AGAIN_S = 30.0  #: until a file that cannot be used is looked at again
SESSION_S = 7 * 86_400  #: how long the broker keeps downlinks for us


def new_client(name: str, version: MQTTProtocolVersion) -> Client:
    """A client that acknowledges downlinks only when it is told to."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        protocol=version,
        clean_session=None if version == MQTTv5 else False,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_S
    client.reconnect_delay_set(1, 1)
    return client


def connect(client: Client, config: MqttConfig, version: MQTTProtocolVersion) -> None:
    """Begin to connect, in paho's thread once that runs; the session is carried on."""
    url = urlsplit(config.url)
    port = url.port or PORTS[url.scheme]
    session: dict[str, Any] = {}
    if version == MQTTv5:
        session = {"clean_start": False, "properties": session_properties()}
    client.connect_async(url.hostname or "", port, config.keepalive_s, **session)


def log_in(client: Client, config: MqttConfig) -> None:
    """User, password, TLS. Raises LinkError naming the file that cannot be used."""
    try:
        if config.user:
            password = None
            if config.password_file:
                password = Path(config.password_file).read_text("utf-8").rstrip("\r\n")
            client.username_pw_set(config.user, password)
        if config.url.startswith("mqtts:"):
            client.tls_set(
                config.ca_file or None,
                config.certificate_file or None,
                config.key_file or None,
                tls_version=ssl.PROTOCOL_TLS_CLIENT,
            )
    except (OSError, ValueError) as error:
        raise LinkError(file_trouble(config, error), AGAIN_S) from error


def file_trouble(config: MqttConfig, error: Exception) -> str:
    """Which file cannot be used, and why."""
    if isinstance(error, UnicodeDecodeError):  # its own words show a byte of the password
        return f"{config.password_file}: is not UTF-8 text"
    files = (config.password_file, config.ca_file, config.certificate_file)
    name = getattr(error, "filename", None) or " ".join(filter(None, files))
    hint = ": it must belong to the agent's user" if isinstance(error, PermissionError) else ""
    return f"{name}: {getattr(error, 'strerror', None) or error}{hint}"


def session_properties() -> Properties:
    """The broker keeps our downlinks while we are away (MQTT 5, 3.1.2.11.2)."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    return properties


def plain(error: BaseException | None) -> str:
    """A connection error in few words a person can act on."""
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
