"""What is right in a profile and should not stay so: told by `check` as warnings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from agent.config.sections import Config, MqttConfig
from agent.resources import resource

OPEN = ("mqtt", "ws")  #: schemes that hide nothing
AT_HOME = (".local", ".lan", ".internal", ".home.arpa", ".localhost")  #: RFC 6762, 8375, 6761
NODE_NAME = re.compile(r"^node\s*=.*?name\s*=\s*\"([^\"]+)\"", re.MULTILINE)


def advice(config: Config) -> Iterator[str]:
    """One line each."""
    if config.node.name in shipped_names():
        yield (
            f"node.name is '{config.node.name}' as in the profile that is shipped: give it a name"
            " of its own, or two nodes throw each other out at the broker"
        )
    for link in config.link:
        if isinstance(link, MqttConfig) and open_password(link):
            yield (
                f"link {link.name}: the password goes unencrypted to {urlsplit(link.url).hostname}:"
                " use mqtts:// or wss://"
            )


def shipped_names() -> set[str]:
    """Names of nodes in the profiles that come with the agent."""
    texts = (path.read_text(encoding="utf-8") for path in resource("nodes").glob("*.toml"))
    return {name for one in texts for name in NODE_NAME.findall(one)}


def open_password(link: MqttConfig) -> bool:
    """Whether anybody on the way to the broker may read the password."""
    url = urlsplit(link.url)
    return bool(link.password_file) and url.scheme in OPEN and not at_home(url.hostname or "")


def at_home(host: str) -> bool:
    """Whether a host is this machine, or one in the same house."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(AT_HOME)
    return address.is_loopback or address.is_private or address.is_link_local
