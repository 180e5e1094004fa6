"""`xvc captions IN.xvc`: read the captions, or replace them without encoding anything again."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from .. import options as shared
from ..console import Console
from ..habits import HabitCommand
from ..places import Places, arrange, check_input, check_output


@click.command("captions", cls=HabitCommand)
@click.argument("files", nargs=-1, metavar="IN.xvc")
@click.option("-i", "source", metavar="IN.xvc", help="The input.")
@click.option("-o", "target", metavar="OUT", help="F.vtt or F.srt; with --set, the new .xvc. [default: stdout; IN.xvc]")
@click.option("--set", "new", type=shared.captions_in, metavar="F.vtt|F.srt", help="Replace the captions by these.")
@click.option("--language", help="Read only this language; with --set, what the new captions are in.")
@shared.overwriting
@shared.common
@click.pass_obj
def command(
    console: Console,
    /,
    files: tuple[str, ...],
    source: str | None,
    target: str | None,
    new: Path | None,
    language: str | None,
    overwrite: bool | None,
    refuse: bool,
) -> None:
    """Read the captions of an .xvc file, or replace them; pictures and sound are copied as they are.

    \b
    xvc captions in.xvc -o in.vtt
    xvc captions in.xvc --set new.srt --language en
    """
    places = arrange(files, source, target or "-", "")
    overwrite = shared.check_overwrite_flags(overwrite, refuse)
    check_input(places.source)
    if new is None:
        if target not in (None, "-"):
            check_output(places, [".vtt", ".srt"], overwrite)
        read(places, language)
        return
    if target is None:
        places = Places(places.source, places.source)
    else:
        check_output(places, [".xvc"], overwrite)
    count = replace(places, new, language)
    console.say("info", f"{count} captions in '{places.target}'.")


def read(places: Places, language: str | None) -> None:
    """Write the captions of the source as WebVTT or SRT."""
    from xvc_bitstream import Reader, atomic_open, write_captions

    with Reader.open(places.input) as reader, tempfile.TemporaryDirectory() as folder:
        languages = sorted({cue.language for cue in reader.captions})
        if language is None and len(languages) > 1:
            raise click.UsageError(f"There are captions in {', '.join(languages)}; choose one with --language.")
        path = Path(folder, "captions").with_suffix(".srt" if places.target.lower().endswith(".srt") else ".vtt")
        write_captions(path, reader.captions, language)
        text = path.read_bytes()
    if places.target == "-":
        click.echo(text, nl=False)
        return
    with atomic_open(places.target) as file:
        file.write(text)


def replace(places: Places, new: Path, language: str | None) -> int:
    """Copy the source to the target, which may be the same file, with the captions of `new`; return their number."""
    from xvc_bitstream import Reader, atomic_open, read_captions, replace_captions

    captions = read_captions(new, language)
    with Reader.open(places.input) as reader, atomic_open(places.target) as file:
        replace_captions(reader, file, captions)
    return len(captions)
