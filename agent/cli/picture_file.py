"""The demo's picture as a file: SVG for a page, without fonts from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console, RenderableType

from agent.cli.picture import picture
from agent.demo.running import Demo
from agent.demo.watch import Watch

COLUMNS = 80
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px monospace }}
.{unique_id}-title {{ font: bold 18px sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""  #: the fields are those of rich.console.Console.export_svg


@contextmanager
def drawn(made: Demo, path: Path | None) -> Iterator[None]:
    """What the demo shows last goes into a file, where one is named."""
    watch = Watch(made.node)
    try:
        yield
    finally:
        if path is not None:
            shown = picture(made.node.snapshot(), made.far, made.clock, watch.preview())
            try:
                write_svg(path, shown, "stadtsinn demo")
            except OSError as error:
                click.echo(f"stadtsinn: --svg: {path}: {error.strerror}", err=True)


def write_svg(path: Path, shown: RenderableType, title: str) -> None:
    """Write what a terminal of 80 columns would show. Raises OSError."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False
    )
    console.print(shown)
    text = console.export_svg(title=title, code_format=SVG, unique_id="demo")
    path.write_text(re.sub(r"\n\s+", "\n", text), encoding="utf-8")
