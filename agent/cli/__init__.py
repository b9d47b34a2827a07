"""The command, one small file per subcommand; each is imported when it is asked for."""

from __future__ import annotations

import importlib

import click

COMMANDS = {  # name -> its docstring's first sentence; <name> of agent.cli.<name>, _ for -
    "run": "The daemon: measure, keep, forward.",
    "demo": "A simulated node here, live in the terminal.",
    "check": "Check a profile, offline.",
    "probe": "Read every sensor once and try every link.",
    "status": "Show how the running node does: sensors, links, store.",
    "clock": "Who vouches for the time; set it by hand.",
    "loadtest": "Record a load test of a bridge and report it.",
    "lorawan": "Keys, join, status, airtime of a LoRaWAN link.",
    "decode": "Explain a frame, or a downlink, byte by byte.",
    "export": "Write rows, or raw records of events, as CSV.",
    "new-driver": "Write a new driver, its twin and its wiring page.",
}


class LazyGroup(click.Group):
    """Shows all commands without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_")
        command = getattr(importlib.import_module(f"agent.cli.{module}"), module)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from COMMANDS."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stadtsinn", prog_name="stadtsinn")
def group() -> None:
    r"""Stadtsinn: the agent on a Raspberry Pi sensor node.

    \b
    Try it:        stadtsinn demo
    Check:         stadtsinn check /etc/stadtsinn/node.toml
    On the bridge: stadtsinn probe /etc/stadtsinn/node.toml
    """
