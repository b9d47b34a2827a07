"""paho's client for one connection: it takes no long packet, and leaves no socket behind."""

from __future__ import annotations

import base64
import socket
from http.client import HTTPConnection, HTTPException
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client

LONGEST_PACKET = 8192  #: bytes of a packet we take; a part of a profile is half as long


class TooLong(ConnectionError):
    """The broker has announced a packet longer than we take."""


class OneConnection(Client):
    """Connected once and ended once. Three doors of paho 2 that are not public are used here."""

    proxy = ""  #: http://user:password@host:port, or none
    too_long = 0  #: bytes of the packet at which the connection was cut

    def _sock_recv(self, buffer_size: int) -> bytes:
        """Cut the connection where a header announces too much: paho would keep all of it."""
        if buffer_size > LONGEST_PACKET:
            self.too_long = buffer_size
            raise TooLong(f"a packet of {buffer_size} bytes")
        return super()._sock_recv(buffer_size)

    def _create_socket_connection(self) -> socket.socket:
        """Through the proxy, where there is one (RFC 9110, 9.3.6). Raises OSError."""
        if not self.proxy:
            return super()._create_socket_connection()
        try:
            return tunnel(self.proxy, self.host, self.port, self.connect_timeout)
        except HTTPException as error:
            raise ConnectionError(f"the proxy speaks no HTTP: {error}") from error

    def hang_up(self) -> None:
        """End the read of the thread that serves the connection; the broker sends our will."""
        handle = self.socket()
        handle = getattr(handle, "_socket", handle)  # behind a websocket
        if isinstance(handle, socket.socket):
            try:
                handle.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # ended already

    def end(self) -> None:
        """Give every socket back, at once; by the thread that served the connection."""
        self._reset_sockets()


def tunnel(proxy: str, host: str, port: int, patience_s: float) -> socket.socket:
    """A connection through an HTTP proxy. Raises OSError, HTTPException."""
    url = urlsplit(proxy)
    headers = {}
    if url.username:
        words = f"{unquote(url.username)}:{unquote(url.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
    way = HTTPConnection(url.hostname or "", url.port or 8080, timeout=patience_s)
    way.set_tunnel(host, port, headers)
    way.connect()
    return way.sock
