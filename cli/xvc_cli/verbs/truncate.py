"""`xvc truncate IN.xvc --bpp X -o OUT.xvc`: drop the finest tokens."""

from __future__ import annotations

import click

from .. import options as shared
from ..console import Console
from ..habits import HabitCommand
from ..places import arrange, check_input, check_output
from ..values import SIZE, Number


@click.command("truncate", cls=HabitCommand)
@shared.files
@click.option("--bpp", type=Number(0, min_open=True), help="Bits per pixel of all but the audio, at most.")
@click.option("--target-size", "size", type=SIZE, help="Size of the whole file, at most: 800k, 2M, 1.5MiB.")
@shared.common
@click.pass_obj
def command(
    console: Console,
    /,
    files: tuple[str, ...],
    source: str | None,
    target: str | None,
    overwrite: bool | None,
    refuse: bool,
    bpp: float | None,
    size: float | None,
) -> None:
    """Make a file of a model that writes tokens (onedva) smaller; nothing is decoded or encoded.

    \b
    xvc truncate in.xvc --bpp 0.02 -o small.xvc
    """
    shared.exclusive({"--bpp": bpp, "--target-size": size})
    if bpp is None and size is None:
        raise click.UsageError("Say how small: --bpp or --target-size.")
    places = arrange(files, source, target, ".small.xvc")
    overwrite = shared.check_overwrite_flags(overwrite, refuse)
    check_input(places.source)
    check_output(places, [".xvc"], overwrite)
    import xvcodec

    found = xvcodec.truncate(places.source, places.target, bpp, None if size is None else int(size))
    console.say("info", f"'{places.target}': {found:.4f} bits per pixel.")
