"""Where a verb reads and where it writes: everything that can be checked before anything heavy is loaded."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from xvcodec.errors import InputError, OutputError

_PATTERN = re.compile(r"%0?\d*d")


@dataclass(frozen=True)
class Places:
    """A checked input and output; `-` stands for the standard streams."""

    source: str
    target: str

    @property
    def input(self) -> str | BinaryIO:
        """What the library reads."""
        return sys.stdin.buffer if self.source == "-" else self.source

    @property
    def output(self) -> str | BinaryIO:
        """What the library writes."""
        return sys.stdout.buffer if self.target == "-" else self.target


def arrange(files: tuple[str, ...], source: str | None, target: str | None, suffix: str) -> Places:
    """Input and output from `[IN] [OUT]`, `-i` and `-o`; without an output, the input's name with `suffix`."""
    left = list(files)
    if source is None:
        if not left:
            raise click.UsageError("There is no input; name it, or use -i.")
        source = left.pop(0)
    if target is None and left:
        target = left.pop(0)
    if left:
        raise click.UsageError(f"'{left[0]}' is one name too many; there is one input and one output.")
    if target is None:
        if source == "-" or _PATTERN.search(source):
            raise click.UsageError("Say with -o where to write; use - for the standard output.")
        target = str(Path(source).with_suffix(suffix))
    return Places(source, target)


def check_input(source: str) -> None:
    """Refuse what cannot be an input. Raises InputError."""
    path = Path(source)
    if source == "-":
        if sys.stdin.isatty():
            raise InputError("The standard input is a terminal; pipe a video into it, or name a file.")
    elif path.is_dir():
        raise InputError(f"'{source}' is a folder; name a file.")
    elif not path.exists() and not _PATTERN.search(path.name):
        raise InputError(f"There is no file '{source}'.")
    elif path.is_file() and path.stat().st_size == 0:
        raise InputError(f"'{source}' is empty.")


def check_output(places: Places, suffixes: Collection[str], overwrite: bool | None) -> None:
    """Refuse what cannot be an output. Raises OutputError, or UsageError for an ending that says nothing."""
    target = places.target
    if target == "-":
        if sys.stdout.isatty():
            raise OutputError("The standard output is a terminal; pipe it into a program, or name a file with -o.")
        return
    path = Path(target)
    if path.suffix.lower() not in suffixes and not _device(path):
        raise click.UsageError(f"'{target}' must end in {', '.join(suffixes)}, or be - for the standard output.")
    if places.source != "-" and path.exists() and os.path.exists(places.source) and path.samefile(places.source):
        raise OutputError(f"'{target}' is the input; name another output with -o.")
    check_folder(path)
    check_overwrite(path, overwrite, ask=places.source != "-")


def check_folder(path: Path, make: bool = False) -> None:
    """Raise OutputError unless a file `path` can be made; with `make`, its folder is made when it is not there."""
    if make:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The folder '{path.parent}' cannot be made ({error.strerror}).") from None
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder '{path.parent}' to write into.")
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder; name a file.")
    if not _device(path) and not os.access(path.parent, os.W_OK):
        raise OutputError(f"The folder '{path.parent}' may not be written to.")


def check_new_folder(path: Path, overwrite: bool | None) -> None:
    """Raise OutputError unless `path` can be made, or is an empty folder; `-y` (True) accepts a full one."""
    above = next((folder for folder in (path, *path.parents) if folder.exists()), Path("."))
    if not above.is_dir():
        raise OutputError(f"'{above}' is a file; name a folder with -o.")
    if not os.access(above, os.W_OK):
        raise OutputError(f"The folder '{above}' may not be written to.")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise OutputError(f"The folder '{path}' is not empty; use -y to write into it, or name another with -o.")


def check_overwrite(path: Path, overwrite: bool | None, ask: bool = True) -> None:
    """Existing files: `-y` (True) replaces them, `-n` (False) refuses, neither asks when there is somebody to ask."""
    first = path.with_name(path.name % 1) if _PATTERN.search(path.name) and path.name.count("%") == 1 else path
    if overwrite or not first.exists() or _device(first):
        return
    if overwrite is None and ask and somebody_there():
        if click.confirm(f"'{first}' exists. Overwrite?", err=True):
            return
        raise OutputError("Not overwritten.")
    raise OutputError(f"'{first}' exists; use -y to overwrite it, or name another output with -o.")


def somebody_there() -> bool:
    """Whether a question would be seen and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _device(path: Path) -> bool:
    """Whether `path` is something like /dev/null or a named pipe, which nobody minds writing to."""
    return path.exists() and not path.is_file() and not path.is_dir()
