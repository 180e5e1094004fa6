"""`xvc train RECIPE`: weights from clips and photographs."""

from __future__ import annotations

from pathlib import Path

import click

from xvcodec.errors import InputError, OutputError

from .. import options as shared
from ..console import Console
from ..habits import HabitCommand
from ..places import check_folder
from ..values import Number

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("train", cls=HabitCommand)
@click.argument("recipe", required=False)
@click.option("--list", "listing", is_flag=True, help="List the recipes.")
@click.option("--data", type=_FOLDER, help="A folder with train/ and images/, each with an index.jsonl.")
@click.option("--out", "-o", "out", type=click.Path(path_type=Path), help="Folder for checkpoint, cache and weights.")
@click.option("--minutes", type=Number(0, min_open=True), help="Stop after this long, instead of the recipe's time.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the folder.")
@click.option("--device", metavar="auto|cpu|cuda[:N]", default="auto", show_default=True)
@shared.common
@click.pass_obj
def command(
    console: Console, /, recipe: str | None, listing: bool, data: Path | None, out: Path | None,
    minutes: float | None, resume: bool, device: str,
) -> None:  # fmt: skip
    """Train a model from a recipe; one JSON object a line on stdout tells how it goes.

    It stops by itself and leaves a checkpoint and a weights file; torchrun spreads it over several GPUs.

    \b
    xvc train --list
    xvc train crossmodal --data clips --out runs/crossmodal --minutes 60
    torchrun --nproc-per-node 8 -m xvc_cli train crossmodal --data clips --out runs/crossmodal
    """
    if listing:
        _list()
        return
    if recipe is None or data is None or out is None:
        raise click.UsageError("Training needs a RECIPE (--list shows them), --data and --out.")
    check_checkpoint(out / f"{recipe}.pt", resume)
    check_folder(out / f"{recipe}.pt", make=True)
    from xvcodec.training.recipes import train

    weights = train(recipe, data, out, minutes, device, click.echo)
    console.say("info", f"The weights are '{weights}'; try them with --model.")


def check_checkpoint(path: Path, resume: bool) -> None:
    """Training goes on from an older checkpoint only when that is asked for. Raises InputError, OutputError."""
    if resume and not path.exists():
        raise InputError(f"There is no checkpoint '{path}' to resume from.")
    if not resume and path.exists():
        raise OutputError(f"'{path}' exists; use --resume to go on from it, or another folder.")


def _list() -> None:
    from xvcodec.training.recipes import RECIPES

    for name, recipe in RECIPES.items():
        click.echo(f"{name:20} {recipe.model.name:16} {recipe.minutes:5g} minutes, {recipe.batch} clips and "
                   f"{recipe.photographs} photographs of {recipe.size}x{recipe.size} a step")  # fmt: skip
