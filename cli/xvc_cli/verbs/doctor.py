"""`xvc doctor`: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import click

from .. import options as shared
from ..console import Console, emit_json
from ..habits import HabitCommand


@click.command("doctor", cls=HabitCommand)
@shared.as_json
@shared.common
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check this installation; the exit code is 1 when something that every job needs is broken."""
    from ..health import examine

    console: Console = ctx.obj
    checks = examine()
    broken = [check for check in checks if check.state == "broken"]
    if as_json:
        emit_json({"ok": not broken, "checks": checks})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            click.echo(f"{check.state:6}  {check.name:{width}}  {check.found}")
            if check.fix:
                click.echo(f"{'':6}  {'':{width}}  -> {check.fix}")
    if broken:
        console.say("error", f"{len(broken)} of {len(checks)} checks failed: {', '.join(c.name for c in broken)}.")
        ctx.exit(1)
