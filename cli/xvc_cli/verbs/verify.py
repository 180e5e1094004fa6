"""`xvc verify IN.xvc`: CRCs, index, every symbol."""

from __future__ import annotations

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import HabitCommand
from ..places import arrange, check_input


@click.command("verify", cls=HabitCommand)
@click.argument("files", nargs=-1, metavar="IN.xvc")
@click.option("-i", "source", metavar="IN.xvc", help="The input.")
@click.option("--model", metavar="F.safetensors", help="Weights, where the file's do not ship.")
@shared.as_json
@shared.common
@click.pass_context
def command(
    ctx: click.Context, /, files: tuple[str, ...], source: str | None, model: str | None, as_json: bool
) -> None:
    """Check every byte and every symbol of an .xvc file; the exit code is 1 when something is wrong."""
    console: Console = ctx.obj
    places = arrange(files, source, "-", "")
    check_input(name := places.source)
    import xvcodec

    result = xvcodec.verify(places.input, model)
    for problem in result.problems:
        console.say("error", f"{name}: {problem}")
    if as_json:
        emit_json(result)
    elif result.ok:
        click.echo(f"{name}: ok, {result.gops} GOPs, {result.symbols} symbols")
    if not result.ok:
        ctx.exit(1)
