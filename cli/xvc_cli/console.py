"""What goes to stderr and stdout besides data: messages by level, and one JSON object where it is asked for."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import click

LEVELS = ("quiet", "error", "warning", "info", "debug")


@dataclass
class Console:
    """How much is said. One object a run, in `click.Context.obj`."""

    level: str = "info"  # one of LEVELS

    def says(self, level: str) -> bool:
        """Whether messages of `level` are wanted."""
        return LEVELS.index(level) <= LEVELS.index(self.level)

    @property
    def live(self) -> bool:
        """Whether a line that overwrites itself makes sense."""
        return self.says("info") and sys.stderr.isatty()

    def say(self, level: str, text: str, name: str = "xvc") -> None:
        """One line on stderr, `xvc: ...`, when `level` is wanted."""
        if self.says(level):
            mark = "warning: " if level == "warning" else ""
            click.echo(f"{name}: {mark}{one_line(text)}", err=True)

    def warn(self, texts: list[str] | tuple[str, ...]) -> None:
        """The warnings of a result."""
        for text in texts:
            self.say("warning", text)


def one_line(text: str) -> str:
    """`text` without line breaks: errors are one sentence."""
    return " ".join(text.split())


def emit_json(value: Any) -> None:
    """One JSON object on stdout; dataclasses become objects, paths strings, non-finite numbers null."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """`value` as what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, str | int):
        return value
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
