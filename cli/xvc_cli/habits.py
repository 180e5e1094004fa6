"""FFmpeg's way of writing options on top of click: `-crf 30` is one name and its value, never `-c rf`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import click


class HabitCommand(click.Command):
    """A command whose single-dash names are whole words, however long.

    click falls back to bundles of one-letter options, so that `-gop 9` would mean `-g op`; FFmpeg knows no bundles.
    Names that are not declared are refused, or, with `extra`, kept as the parameter of that name: a dict from the
    name without its dash to the value that follows it (options of an FFmpeg encoder).
    """

    extra: str | None = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take out what belongs to `extra`, refuse what nobody knows, and leave the rest to click."""
        known = {name: param for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)}
        kept: list[str] = []
        others: dict[str, str] = {}
        rest = iter(args)
        for token in rest:
            if token == "--":
                kept += [token, *rest]
            elif token == "-" or not token.startswith("-"):
                kept.append(token)
            elif param := known.get(token):
                kept.append(token)
                if isinstance(param, click.Option) and not param.is_flag and not param.count:
                    kept += [value for value in [next(rest, None)] if value is not None]
            elif "=" in token and token.partition("=")[0] in known:
                kept.append(token)
            else:
                key, value = self._other(ctx, token, rest, list(known))
                others[key] = value
        left = super().parse_args(ctx, kept)
        if self.extra:
            ctx.params[self.extra] = others
        return left

    def _other(self, ctx: click.Context, token: str, rest: Iterator[str], known: list[str]) -> tuple[str, str]:
        name, equals, value = token.partition("=")
        if not self.extra or name.startswith("--"):
            raise click.NoSuchOption(name, possibilities=difflib.get_close_matches(name, known, 2), ctx=ctx)
        if not equals:
            following = next(rest, None)
            if following is None:
                raise click.BadOptionUsage(name, f"Option '{name}' requires an argument.", ctx=ctx)
            value = following
        return name[1:], value


class EncoderCommand(HabitCommand):
    """A command that hands undeclared single-dash options on to the FFmpeg encoder, as `codec_options`."""

    extra = "codec_options"
