"""Options that several verbs share, as decorators, and what must not be given together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .console import LEVELS, Console
from .places import Places
from .values import TIME

F = TypeVar("F", bound=Callable[..., Any])


def _stack(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator out of several, listed in the order in which the help shows them."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _set_level(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Console).level = value


_level = click.option(
    "-loglevel", "-v", type=click.Choice(LEVELS), expose_value=False, is_eager=True, callback=_set_level,
    help="How much to say on stderr; debug shows where an error happened. [default: info]",
)  # fmt: skip
_banner = click.option("-hide_banner", is_flag=True, expose_value=False, help="Accepted; xvc shows no banner.")
common = _stack(_level, _banner)

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")

_yes = click.option("-y", "overwrite", flag_value=True, type=bool, default=None, help="Overwrite the output.")
_no = click.option("-n", "refuse", is_flag=True, help="Never overwrite the output.")
overwriting = _stack(_yes, _no)

files = _stack(
    click.argument("files", nargs=-1, metavar="IN [OUT]"),
    click.option("-i", "source", metavar="IN", help="The input; - is the standard input."),
    click.option("-o", "target", metavar="OUT", help="The output; - is the standard output."),
    overwriting,
)

window = _stack(
    click.option("-ss", "start", type=TIME, help="Begin here: 12.5 or 00:00:12.5."),
    click.option("-t", "duration", type=TIME, help="Stop after this long."),
    click.option("-to", "end", type=TIME, help="Stop at this time of the input."),
)

runtime = _stack(
    click.option("--backend", type=click.Choice(["auto", "torch", "onnx"]), default="auto", show_default=True),
    click.option("--device", metavar="auto|cpu|cuda[:N]", default="auto", show_default=True),
)

progress = click.option(
    "-progress", "progress", metavar="URL", help="Write progress as key=value lines to pipe:1, pipe:2, - or a file."
)

captions_in = click.Path(exists=True, dir_okay=False, path_type=Path)


def exclusive(given: dict[str, object]) -> None:
    """Raise UsageError when more than one of the options `given` (name to value, None where absent) is there."""
    names = [name for name, value in given.items() if value is not None and value is not False]
    if len(names) > 1:
        raise click.UsageError(f"{' and '.join(names)} exclude each other; give one of them.")


def check_overwrite_flags(overwrite: bool | None, refuse: bool) -> bool | None:
    """True for -y, False for -n, None for neither. Raises UsageError for both."""
    exclusive({"-y": overwrite, "-n": refuse})
    return False if refuse else overwrite


def check_streams(places: Places, progress: str | None, as_json: bool) -> None:
    """Raise UsageError when two things would share the standard output."""
    exclusive({
        "-o -": places.target == "-",
        f"-progress {progress}": progress in ("-", "pipe:1"),
        "--json": as_json,
    })  # fmt: skip
    if progress is not None and "://" in progress:
        raise click.UsageError(f"-progress {progress} is no file; use -, pipe:1, pipe:2 or the name of a file.")
