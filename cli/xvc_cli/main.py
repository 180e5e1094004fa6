"""`xvc`: finds the verb, runs it, and turns whatever happens into one sentence and an exit code.

0: done. 1: it did not work. 2: the command line is wrong. 130: Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from typing import Any

import click

from .console import Console

VERBS = {
    "encode": "Compress a video into .xvc.",
    "decode": "Turn .xvc back into a video, pictures or y4m.",
    "probe": "Say what is in an .xvc file.",
    "captions": "Read the captions of an .xvc file, or replace them.",
    "truncate": "Make an .xvc file smaller by dropping its finest tokens; no model runs.",
    "verify": "Check every byte and every symbol of an .xvc file.",
    "rd": "Compare codecs: rate-distortion studies, plots, BD-rates.",
    "models": "List the models that ship, their size and cost.",
    "export": "Write a model as ONNX graphs.",
    "train": "Train a model from a recipe.",
    "doctor": "Check this installation and say how to repair it.",
    "demo": "Encode and decode a clip, and show what came out.",
}


class VerbGroup(click.Group):
    """Imports a verb's module only when it is called, so that `xvc --help` and `xvc probe` stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order in which people need them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; its module is `xvc_cli.verbs.VERB` and holds `command`."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"{__package__}.verbs.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from xvcodec import __version__

        click.echo(f"xvc {__version__}")
        ctx.exit()


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "-help", "--help"]})
@click.option(
    "-version", "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version,
    help="Show the version.",
)  # fmt: skip
def cli() -> None:
    """A learned video codec. `xvc VERB --help` explains a verb."""


def main(args: list[str] | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return the exit code."""
    console = Console()
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        code = cli.main(args, prog_name="xvc", standalone_mode=False, obj=console)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.message, err=True)
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "xvc"
        console.say("error", f"{error.format_message()} Try '{path} --help'.", path)
        return 2
    except click.Abort as error:
        return _interrupted(console) if isinstance(error.__cause__, KeyboardInterrupt) else _failed(console, error)
    except BrokenPipeError:
        _forget_stdout()
        return 1
    except Exception as error:
        return _failed(console, error)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _failed(console: Console, error: BaseException) -> int:
    """Say what went wrong in one sentence; known errors speak for themselves."""
    from xvc_bitstream.errors import BitstreamError

    from xvcodec.errors import UsageError, XvcError

    cause: Any = error.__cause__ if isinstance(error, click.Abort) and error.__cause__ else error
    if console.says("debug"):
        traceback.print_exception(cause)
    if isinstance(cause, XvcError | BitstreamError | click.ClickException):
        text = str(cause)
    elif isinstance(cause, OSError) and cause.strerror:
        text = f"'{cause.filename}': {cause.strerror}." if cause.filename else f"{cause.strerror}."
    elif isinstance(cause, MemoryError):
        text = "There is not enough memory; close other programs, or encode a smaller picture."
    else:
        text = f"Unexpected {type(cause).__name__}: {str(cause)[:200]} (-loglevel debug shows where it happened)."
    if not isinstance(cause, click.exceptions.Exit):
        console.say("error", text)
    if isinstance(cause.__cause__, BrokenPipeError):
        _forget_stdout()
    return 2 if isinstance(cause, UsageError) else 1


def _interrupted(console: Console) -> int:
    console.say("error", "Interrupted; nothing half-written is left.")
    return 130


def _terminated(number: int, frame: object) -> None:
    """SIGTERM ends the run like Ctrl-C, so that temporary files are removed."""
    raise SystemExit(128 + number)


def _forget_stdout() -> None:
    """Nobody reads stdout any more: keep Python from complaining when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
