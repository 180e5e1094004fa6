"""`xvc export`: a model as ONNX graphs."""

from __future__ import annotations

from pathlib import Path

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import HabitCommand
from ..places import check_new_folder


@click.command("export", cls=HabitCommand)
@click.argument("model", default="crossmodal")
@click.option("-o", "folder", type=click.Path(path_type=Path), help="The folder to write into. [default: MODEL-onnx]")
@shared.overwriting
@shared.as_json
@shared.common
@click.pass_obj
def command(
    console: Console, /, model: str, folder: Path | None, overwrite: bool | None, refuse: bool, as_json: bool
) -> None:
    """Write the encoder and decoder of MODEL as ONNX graphs, for onnxruntime or another engine.

    \b
    xvc export crossmodal -o graphs
    """
    folder = folder or Path(f"{Path(model).stem}-onnx")
    check_new_folder(folder, shared.check_overwrite_flags(overwrite, refuse))
    import xvcodec

    paths = xvcodec.export(model, folder)
    if as_json:
        emit_json({"model": model, "files": paths})
    else:
        console.say("info", f"{len(paths)} graphs in '{folder}': {', '.join(path.name for path in paths)}.")
