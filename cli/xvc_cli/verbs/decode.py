"""`xvc decode IN.xvc -o OUT`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import EncoderCommand
from ..places import arrange, check_input, check_output
from ..progress import meter

if TYPE_CHECKING:
    from xvcodec import DecodeResult


@click.command("decode", cls=EncoderCommand)
@shared.files
@shared.window
@click.option("-c:v", "-codec:v", "-vcodec", "codec", metavar="NAME", help="FFmpeg's encoder for the output.")
@click.option("-an", "no_audio", is_flag=True, help="Leave the audio out.")
@click.option("--model", metavar="F.safetensors", help="Weights, where the file's do not ship.")
@click.option("--text-encoder", metavar="FOLDER", help="Text encoder, where the file's does not ship.")
@click.option("--prompt", help="Guide the decoder by this text instead of the file's captions.")
@click.option("--no-text", "no_text", is_flag=True, help="Decode as if there were no captions.")
@click.option("--tokens", type=click.IntRange(1), help="Use at most so many tokens of a GOP (onedva).")
@click.option("--drop", multiple=True, metavar="STREAM", help="Decode a stream as zeros: what does it carry? Repeatable.")
@click.option("--steps", type=click.IntRange(0, 64), help="Steps of a generative decoder. [default: the model's]")
@click.option("--seed", type=click.IntRange(0, (1 << 64) - 1), help="Seed of its noise. [default: the file's]")
@click.option("--ignore-errors", is_flag=True, help="Conceal damaged GOPs, and say which.")
@shared.runtime
@shared.progress
@shared.as_json
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
    progress: str | None,
    as_json: bool,
    no_text: bool,
    no_audio: bool,
    **options: Any,
) -> None:
    """Turn .xvc back into a video (.mp4, .mov, .mkv, .webm, .y4m), pictures (frame%05d.png), or y4m on a pipe.

    Other single-dash options go to the encoder of the output, as in FFmpeg: -crf 12, -preset slow, -b:v 2M.

    \b
    xvc decode in.xvc -o out.mp4 -c:v libx264 -crf 12
    xvc decode in.xvc -ss 10 -t 2 -o frame%05d.png
    xvc decode in.xvc -o - | ffplay -
    """
    places = arrange(files, source, target, ".mp4")
    overwrite = shared.check_overwrite_flags(overwrite, refuse)
    shared.exclusive({"--prompt": options["prompt"], "--no-text": no_text})
    shared.exclusive({"-t": options["duration"], "-to": options["end"]})
    shared.check_streams(places, progress, as_json)
    check_input(places.source)
    check_output(places, _endings(), overwrite)
    import xvcodec

    with meter(console, progress) as report:
        choice = xvcodec.DecodeOptions(text=not no_text, audio=not no_audio, **options)
        result = xvcodec.decode(places.input, places.output, choice, report)
    console.warn(result.warnings)
    console.warn(result.damage)
    console.say("info", summary(result))
    if as_json:
        emit_json(result)


def _endings() -> list[str]:
    """What the library can write, by the end of a name."""
    from xvcodec.media.images import SUFFIXES
    from xvcodec.media.writer import CONTAINERS

    return [*CONTAINERS, ".y4m", *SUFFIXES]


def summary(result: DecodeResult) -> str:
    """The closing line of a decode."""
    fps = result.frames / result.seconds if result.seconds > 0 else 0.0
    lost = f"{len(result.damage)} damaged parts concealed, " if result.damage else ""
    return f"{result.frames} frames, {lost}{result.seconds:.1f} s ({fps:.1f} fps); {result.runtime}"
