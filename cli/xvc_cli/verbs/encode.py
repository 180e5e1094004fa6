"""`xvc encode IN -o OUT.xvc`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import HabitCommand
from ..places import arrange, check_input, check_output
from ..progress import meter
from ..values import PAIR, RATE, SIZE, Number

if TYPE_CHECKING:
    from xvcodec import EncodeResult


@click.command("encode", cls=HabitCommand)
@shared.files
@shared.window
@click.option("-crf", "crf", type=Number(0, 63), help="Quality, 0 is best. [default: 32]")
@click.option("-b:v", "bitrate", type=RATE, help="Bits a second of all but the audio: 500k, 1.5M.")
@click.option("--bpp", type=Number(0, min_open=True), help="Bits per pixel of all but the audio.")
@click.option("--target-size", type=SIZE, help="Size of the whole file: 800k, 2M, 1.5MiB.")
@click.option("--target-psnr", type=Number(0, 100, min_open=True), help="Mean PSNR in dB.")
@click.option("--tokens", type=click.IntRange(1), help="Most tokens of a GOP (--model onedva).")
@click.option("--model", default="crossmodal", show_default=True, help="A name that `xvc models` lists, or auto: by rate.")
@click.option("-preset", type=click.Choice(["fast", "medium", "slow"]), default="medium", show_default=True)
@click.option("--tune", type=click.Choice(["psnr", "perceptual"]), show_default="perceptual for hivae, else psnr",
              help="perceptual: finer where errors are seen, coarser where detail hides them.")  # fmt: skip
@click.option("-g", "gop", type=click.IntRange(1, 1024), default=32, show_default=True, help="Most frames in a GOP.")
@click.option("-an", "no_audio", is_flag=True, help="Leave the audio out.")
@click.option("--prompt", help="What is to be seen: one caption over the whole file.")
@click.option("--captions", type=shared.captions_in, metavar="F.vtt|F.srt", help="Timed captions.")
@click.option("--language", help="Language of the prompt and the captions; what the file says, else en.")
@click.option("--text-encoder", default="default", show_default=True, help="Another one: a local folder.")
@click.option("--seed", type=click.IntRange(0, (1 << 64) - 1), default=0, help="Of a generative decoder's noise.")
@click.option("-metadata", "metadata", type=PAIR, multiple=True, help="A tag, key=value; may be repeated.")
@click.option("--coder", type=click.Choice(["constriction", "torchac"]), default="constriction", show_default=True)
@click.option("--psnr", is_flag=True, help="Measure the PSNR of what will be decoded.")
@click.option("--verify", is_flag=True, help="Decode the symbols of the finished file and compare them.")
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
    **options: Any,
) -> None:
    """Compress a video into .xvc.

    \b
    xvc encode in.mp4 -o out.xvc --prompt "a red tram in the rain"
    xvc encode in.mp4 -crf 24 -ss 00:01:00 -t 10
    ffmpeg -i in.mp4 -f yuv4mpegpipe - | xvc encode -i - -o out.xvc -b:v 500k
    """
    places = arrange(files, source, target, ".xvc")
    overwrite = shared.check_overwrite_flags(overwrite, refuse)
    rates = ("-crf", "crf"), ("-b:v", "bitrate"), ("--bpp", "bpp"), ("--target-size", "target_size"), ("--tokens", "tokens")
    shared.exclusive({flag: options[name] for flag, name in (*rates, ("--target-psnr", "target_psnr"))})
    shared.exclusive({"-t": options["duration"], "-to": options["end"]})
    shared.exclusive({"--prompt": options["prompt"], "--captions": options["captions"]})
    shared.check_streams(places, progress, as_json)
    check_input(places.source)
    check_output(places, [".xvc"], overwrite)
    import xvcodec

    if options["target_size"] is not None:
        options["target_size"] = int(options["target_size"])
    options.update(audio=not options.pop("no_audio"), metadata=dict(options["metadata"]))
    with meter(console, progress) as report:
        result = xvcodec.encode(places.input, places.output, xvcodec.EncodeOptions(**options), report)
    console.warn(result.warnings)
    console.say("info", summary(result))
    if as_json:
        emit_json(result)


def summary(result: EncodeResult) -> str:
    """The closing line of an encode."""
    fps = result.frames / result.seconds if result.seconds > 0 else 0.0
    quality = "" if result.psnr is None else f"PSNR {result.psnr:.2f} dB, "
    return (
        f"{result.frames} frames of {result.width}x{result.height}, {result.total_bytes / 1000:.1f} kB "
        f"(video {result.video_bytes / 1000:.1f} kB, {result.bpp:.4f} bits per pixel), {quality}"
        f"crf {result.crf_mean:.1f}, {result.seconds:.1f} s ({fps:.1f} fps); {result.runtime}"
    )
