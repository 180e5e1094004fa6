"""What people type as a time, a size, a bit rate or a tag, as click parameter types."""

from __future__ import annotations

import math
import re

import click

_PLAIN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(s|ms|us)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:\.\d*)?)", re.ASCII)
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kKMG]?)(i?)(B?)", re.ASCII)
_POWER = {"": 0, "K": 1, "M": 2, "G": 3}
_UNIT = {None: 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


class Time(click.ParamType[float]):
    """Seconds (`12.5`, `500ms`) or a clock (`01:02.5`, `00:01:02.5`), as seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds as a float; fails for anything negative or not a time."""
        text = str(value).strip()
        if plain := _PLAIN.fullmatch(text):
            return float(plain[1]) * _UNIT[plain[2]]
        if clock := _CLOCK.fullmatch(text):
            return (int(clock[1] or 0) * 60 + int(clock[2])) * 60 + float(clock[3])
        self.fail(f"'{text}' is not a time; write seconds (12.5) or hours:minutes:seconds (00:01:02.5)", param, ctx)


class Amount(click.ParamType[float]):
    """A number with k, M or G (powers of 1000), Ki, Mi or Gi (powers of 1024), and B for bytes."""

    def __init__(self, unit: str, examples: str) -> None:
        self.name, self._examples = unit, examples
        self._bits = unit == "rate"  # where, as in FFmpeg, a B means bytes a second

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Bytes (size) or bits a second (rate), more than 0."""
        match = _AMOUNT.fullmatch(str(value).strip())
        if match is None or (match[3] and not match[2]):
            self.fail(f"'{value}' is not a {self.name}; write it as {self._examples}", param, ctx)
        amount = float(match[1]) * (1024 if match[3] else 1000) ** _POWER[match[2].upper()]
        amount *= 8 if self._bits and match[4] else 1
        if not amount > 0:
            self.fail(f"a {self.name} must be more than 0", param, ctx)
        return amount


class Number(click.FloatRange):
    """A finite number in a range; click itself lets nan through."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number as a float."""
        number = float(super().convert(value, param, ctx))  # type: ignore[arg-type]  # click types its input narrowly
        if not math.isfinite(number):
            self.fail(f"'{value}' is not a number in the range {self._describe_range()}", param, ctx)
        return number


class Pair(click.ParamType[tuple[str, str]]):
    """`key=value`, as (key, value)."""

    name = "key=value"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The pair; fails without `=` or without a key."""
        if isinstance(value, tuple):
            return str(value[0]), str(value[1])
        key, equals, text = str(value).partition("=")
        if not equals or not key.strip():
            self.fail(f"'{value}' is not a tag; write it as key=value, such as title=Home", param, ctx)
        return key.strip(), text


class Words(click.ParamType[tuple[str, ...]]):
    """`a,b,c` as names."""

    name = "a,b,c"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names, each once, in their order; fails where there is none."""
        if isinstance(value, tuple):
            return value
        words = tuple(dict.fromkeys(word.strip() for word in str(value).split(",") if word.strip()))
        if not words:
            self.fail(f"'{value}' is empty; write names with commas between them", param, ctx)
        return words


class Numbers(click.ParamType[tuple[float, ...]]):
    """`22,27,32` as numbers."""

    name = "a,b,c"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """The numbers, each once, rising; fails for what is no finite number."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(sorted({float(part) for part in str(value).split(",")}))
        except ValueError:
            numbers = ()
        if not numbers or not all(map(math.isfinite, numbers)):
            self.fail(f"'{value}' is not a list of numbers; write them as 22,27,32", param, ctx)
        return numbers


TIME = Time()
RATE = Amount("rate", "500k or 1.5M (bits a second)")
SIZE = Amount("size", "800k, 2M or 1.5MiB")
PAIR = Pair()
WORDS = Words()
NUMBERS = Numbers()
