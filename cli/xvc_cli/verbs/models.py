"""`xvc models`: what ships, how large it is, and what it costs."""

from __future__ import annotations

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import HabitCommand


@click.command("models", cls=HabitCommand)
@shared.as_json
@shared.common
@click.pass_obj
def command(console: Console, as_json: bool) -> None:
    """List the models that ship; kMAC are thousands of multiplications per pixel."""
    import xvcodec

    models = xvcodec.list_models()
    if as_json:
        emit_json({"models": models})
        return
    rows = [("model", "hash", "parameters", "MB", "encode kMAC", "decode kMAC", "")]
    rows += [
        (m.name, m.hash[:8], f"{m.parameters / 1e6:.2f} M", f"{m.bytes / 1e6:.2f}", f"{m.encode_kmac:.1f}",
         f"{m.decode_kmac:.1f}", m.description)
        for m in models
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.rjust(width) if column > 1 else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=False))]  # fmt: skip
        click.echo("  ".join([*cells, row[-1]]).rstrip())
