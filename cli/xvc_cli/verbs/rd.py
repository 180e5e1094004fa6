"""`xvc rd CLIP... --codec SPEC... -o REPORT`: rate-distortion studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import HabitCommand
from ..study import meter, told
from ..values import NUMBERS, WORDS

_folder = click.Path(path_type=Path)


@click.command("rd", cls=HabitCommand)
@click.argument("clips", nargs=-1, metavar="CLIP...", type=_folder)
@click.option("--codec", "codecs", multiple=True, metavar="SPEC", help="NAME[:key=value...]; may be repeated.")
@click.option("--metric", "metrics", type=WORDS, default="psnr", show_default=True, metavar="A,B",
              help="Names of docs/metrics.md.")
@click.option("-o", "output", type=_folder, metavar="REPORT", help="Folder of the report; a second run goes on there.")
@click.option("--crf", type=NUMBERS, metavar="A,B,C", help="Settings of every codec; found when not given.")
@click.option("--points", type=click.IntRange(2, 64), default=4, show_default=True, help="Of a ladder that is found.")
@click.option("--range", "quality", type=NUMBERS, default="30,36", show_default=True, metavar="LOW,HIGH",
              help="PSNR in dB that ladders cover, mean over the clips.")
@click.option("--frames", type=click.IntRange(1), metavar="N", help="Only the first N of each clip.")
@click.option("-g", "gop", type=click.IntRange(1, 1024), default=32, show_default=True,
              help="Most frames from one key frame to the next.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Cores that a codec may use.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Points at a time; above 1, no times.")
@click.option("--no-captions", "no_captions", is_flag=True, help="Leave the captions of index.jsonl out.")
@click.option("--add", type=_folder, multiple=True, metavar="F.json|F.csv", help="Results of another tool.")
@click.option("--reference", metavar="CODEC", help="Of the BD-rates. [default: x265, else the first]")
@click.option("--method", type=click.Choice(["akima", "pchip"]), help="Of the BD-rates. [default: akima]")
@click.option("--squeezenet", type=_folder, metavar="F.npz", help="Arrays of the metric squeezenet.")
@click.option("--plot-only", is_flag=True, help="Make tables, plots and page of a report again; nothing is coded.")
@click.option("--compare", nargs=2, type=_folder, metavar="A B", help="Two reports: what got better, what got worse.")
@shared.as_json
@shared.common
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Compare codecs over clips: files and folders of videos and pictures.

    \b
    xvc rd clips --codec crossmodal --codec libx265:preset=medium --metric psnr,msssim -o report
    xvc rd clips --codec crossmodal:crf=32,44,56 --codec libx264:crf=24,30,36 --frames 32 -o report
    xvc rd -o report --plot-only --reference libx264
    xvc rd --compare old new
    """
    console: Console = ctx.obj
    as_json = given.pop("as_json")
    if given["compare"]:
        _alone(ctx, given, "compare", {"method"})
        earlier, later = given["compare"]
        _compare(earlier, later, given["method"], as_json)
        return
    if given["output"] is None:
        raise click.UsageError("Say with -o which folder the report goes to.")
    if given["plot_only"]:
        _alone(ctx, given, "plot_only", {"output", "reference", "method", "add"})
        _again(console, given, as_json)
        return
    _run(console, given, as_json)


def _run(console: Console, given: dict[str, Any], as_json: bool) -> None:
    from xvcodec import rd

    for name in ("compare", "plot_only"):
        del given[name]
    if len(given["quality"]) != 2:
        raise click.UsageError("--range needs two numbers: the lowest and the highest PSNR.")
    captions = not given.pop("no_captions")
    options = rd.Options(captions=captions, **given | {"method": given["method"] or "akima"})
    with meter(console) as report:
        results = rd.run_options(options, report)
    _finish(console, results, options.output, as_json)


def _again(console: Console, given: dict[str, Any], as_json: bool) -> None:
    from xvcodec import rd

    results = rd.Results.load(given["output"])
    results = results.changed([results.read(file) for file in given["add"]], given["reference"], given["method"])
    _finish(console, results, given["output"], as_json)


def _finish(console: Console, results: Any, folder: Path, as_json: bool) -> None:
    from xvcodec import rd

    rd.report.write(results, folder)
    console.warn([*results.absences, *results.notes])
    if as_json:
        emit_json(results.data)
    elif console.says("info"):
        click.echo(told(results))
    console.say("info", f"The report is {folder / 'index.html'}.")


def _compare(earlier: Path, later: Path, method: str | None, as_json: bool) -> None:
    from xvcodec import rd

    before, after = rd.Results.load(earlier), rd.Results.load(later)
    found = rd.compare(before, after, method=method or before.method)  # type: ignore[arg-type]  # click has checked it
    if as_json:
        emit_json(found.to_json())
    else:
        click.echo(found.text())


def _alone(ctx: click.Context, given: dict[str, Any], name: str, fits: set[str]) -> None:
    """Refuse options that would do nothing beside `name`."""
    flag = "--" + name.replace("_", "-")
    for param in ctx.command.params:
        key = param.name or ""
        typed = ctx.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE
        if key in given and key not in {name, *fits} and typed and given[key]:
            what = param.opts[0] if isinstance(param, click.Option) else "a clip"
            raise click.UsageError(f"{flag} codes nothing, so {what} has no place beside it.")
