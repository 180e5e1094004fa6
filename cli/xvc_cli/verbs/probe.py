"""`xvc probe IN.xvc`: what is in a file, without loading a model."""

from __future__ import annotations

from typing import Any

import click

from .. import options as shared
from ..console import Console, emit_json, one_line
from ..habits import HabitCommand
from ..places import arrange, check_input
from ..progress import clock


@click.command("probe", cls=HabitCommand)
@click.argument("files", nargs=-1, metavar="IN.xvc")
@click.option("-i", "source", metavar="IN.xvc", help="The input.")
@shared.as_json
@shared.common
@click.pass_obj
def command(console: Console, /, files: tuple[str, ...], source: str | None, as_json: bool) -> None:
    """Say what is in an .xvc file: streams, GOPs, sizes, captions. Never loads a model."""
    places = arrange(files, source, "-", "")
    check_input(places.source)
    import xvcodec

    found = xvcodec.probe(places.input)
    if as_json:
        emit_json(found)
    else:
        click.echo(describe(places.source, found))


def describe(name: str, found: dict[str, Any]) -> str:
    """The text for people."""
    gops, captions = found["gops"], found["captions"]
    duration, size = found["duration"] or 0.0, found["video_bytes"]
    pixels = found["width"] * found["height"] * found["frames"]
    rates = [f"{size / 1000:.1f} kB"]
    if duration:
        rates.append(f"{size * 8 / duration / 1000:.1f} kbit/s")
    if pixels:
        rates.append(f"{size * 8 / pixels:.4f} bits per pixel")
    size_and_rate = f"{found['width']}x{found['height']}, {found['frames']} frames, {float(found['fps'] or 0):.6g} fps"
    lines = [
        f"{name}: xvc format {found['format_version']}, {clock(duration)}, {found['file_bytes'] / 1000:.1f} kB",
        f"  video     {', '.join([size_and_rate, *rates])}",
        f"  model     {found['model']} {found['model_hash'][:8]}, coder {found['coder']}",
        f"  gops      {_gops(gops)}",
        *(f"  audio     {_track(track)}" for track in found["audio_tracks"]),
        *(f"  caption   {_cue(cue)}" for cue in captions),
        *(f"  chapter   {clock(item['start'])} {item['title']}" for item in found["chapters"]),
        *(f"  tag       {key}: {value}" for key, value in found["tags"].items()),
    ]
    if found["truncated"]:
        lines.append("  cut off   the end of the file is missing; what is listed can be decoded")
    return "\n".join(lines)


def _gops(gops: list[dict[str, Any]]) -> str:
    if not gops:
        return "none"
    quality = [gop["crf"] for gop in gops]
    sizes = [gop["bytes"] for gop in gops]
    return (
        f"{len(gops)} of up to {max(gop['frames'] for gop in gops)} frames, crf {min(quality):g}..{max(quality):g}, "
        f"{min(sizes)}..{max(sizes)} bytes"
    )


def _track(track: dict[str, Any]) -> str:
    texts = (track["codec"], f"{track['sample_rate']} Hz", track["layout"], track["language"], track["title"])
    return ", ".join(text for text in texts if text)


def _cue(cue: dict[str, Any]) -> str:
    end = "end" if cue["end"] is None else clock(cue["end"])
    language = f" [{cue['language']}]" if cue["language"] else ""
    return f"{clock(cue['start'])} - {end}{language} {one_line(cue['text'])}"
