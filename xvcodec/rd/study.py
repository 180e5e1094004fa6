"""A study from clips and codecs to results: check everything, run the points, put the figures together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from xvcodec.errors import UsageError

from .clips import Clip, find
from .codecs import Codec, Conditions, parse_all
from .external import Added, read
from .options import Options
from .report import check_installed
from .results import Results, assemble, entry
from .schedule import DRIVER, Report, Schedule
from .store import Store
from .work import Worker


def run_study(options: Options, progress: Report | None = None) -> Results:
    """Run a study, or what is left of it, and write results.json and results.csv into its folder.

    Raises:
        UsageError: options that contradict each other, unknown codecs or metrics.
        XvcError: a clip or a codec does not work; a later run goes on with what was finished.
    """
    check_installed()
    codecs = parse_all(options.codecs)
    conditions = Conditions(options.gop, options.threads, options.jobs == 1)
    clips = find(options.clips, options.frames, options.captions)
    entries, names = [entry(clip, options.output) for clip in clips], [codec.name for codec in codecs]
    added = [read(Path(file), entries, options.metrics, names) for file in options.add]
    _check(options, codecs, clips, conditions, added)
    store = Store(options.output, conditions)
    with store.locked():
        worker = Worker(store, tuple(dict.fromkeys([*options.metrics, DRIVER])), options.squeezenet)
        with closing(Schedule(options, codecs, clips, worker, progress)) as schedule:
            ladders = schedule.ladders()
        results = assemble(options, clips, codecs, worker, schedule, ladders, added)
        results.save(options.output)
        return results


def _check(options: Options, codecs: Sequence[Codec], clips: Sequence[Clip], conditions: Conditions,
           added: Sequence[Added]) -> None:
    """Everything that can go wrong and is found out in little time."""
    for codec in codecs:
        scale = codec.scale()
        low, high = sorted((scale.best, scale.worst))
        for setting in codec.fixed or options.crf or ():
            if not low <= setting <= high:
                raise UsageError(f"{codec.name}: {codec.setting} is {setting:g}, but goes from {low:g} to {high:g}.")
        for clip in {(clip.info.width, clip.info.height, clip.info.bit_depth, clip.kind): clip for clip in clips}.values():
            codec.check(clip, conditions)
    names = [codec.name for codec in codecs] + [codec["name"] for other in added for codec in other.codecs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"There are two codecs '{twice[0]}': rename it in the added file.")
    if options.reference is not None and options.reference not in names:
        raise UsageError(f"--reference '{options.reference}' is none of the codecs: {', '.join(names)}.")
