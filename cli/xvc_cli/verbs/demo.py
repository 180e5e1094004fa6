"""`xvc demo`: the whole way of a clip, and what came out."""

from __future__ import annotations

from pathlib import Path

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import HabitCommand
from ..places import check_folder, check_input
from ..values import TIME, Number


@click.command("demo", cls=HabitCommand)
@click.option("--clip", "-i", "clip", metavar="IN", help="Your own clip. [default: one that is made on the spot]")
@click.option("-o", "folder", type=click.Path(path_type=Path), default="demo", help="A folder. [default: demo]")
@click.option("--prompt", help="What is to be seen. [default: what the made clip shows; nothing for your own]")
@click.option("-crf", "crf", type=Number(0, 63), default=32, show_default=True, help="Quality, 0 is best.")
@click.option("-t", "duration", type=TIME, help="Stop after this long.")
@click.option("--model", default="crossmodal", show_default=True)
@shared.runtime
@shared.as_json
@shared.common
@click.pass_obj
def command(
    console: Console, /, clip: str | None, folder: Path, prompt: str | None, crf: float, duration: float | None,
    model: str, backend: str, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Encode and decode a clip; leaves out.xvc, reconstruction.mp4 and side-by-side.png in a folder."""
    from ..showcase import Showcase

    if clip is not None:
        check_input(clip)
    check_folder(folder / "out.xvc", make=True)
    import xvcodec

    options = xvcodec.EncodeOptions(
        crf=crf, duration=duration, model=model, backend=backend, device=device, prompt=prompt, psnr=True
    )
    outcome = Showcase(console, folder, options).run(clip)
    if as_json:
        emit_json(outcome)
    else:
        click.echo(outcome.table())
