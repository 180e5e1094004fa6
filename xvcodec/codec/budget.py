"""From what the user asked for to a rate control: bytes to spend, and a sample of GOPs to learn from."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from xvc_bitstream.records import AudioPacket

from xvcodec.codec.planner import GopFrames
from xvcodec.codec.ratecontrol import ConstantPsnr, ConstantQuality, RateControl, TargetSize, start_of
from xvcodec.codec.trial import Trial
from xvcodec.errors import UsageError
from xvcodec.options import DEFAULT_CRF

if TYPE_CHECKING:
    from xvcodec.codec.encode import Encoder

SAMPLE = 6
"""GOPs that the search codes at once: all of a short file, evenly spread over a long one."""
PIPE_SAMPLE = 3
"""GOPs held back for the search when the source cannot be read twice."""
AUDIO_OVERHEAD = 16
"""Container bytes of one audio packet, about."""
GOP_OVERHEAD = 8
"""Bytes of a GOP outside its chunk: its line in the index."""
FILE_OVERHEAD = 60
"""Bytes behind the last GOP, its line in the index apart: index and end mark."""

Planned = Generator[tuple[GopFrames, Trial | None]]


def make_control(encoder: Encoder, gops: Iterator[GopFrames]) -> tuple[RateControl, Planned]:
    """The rate control for the encoder's options, and the GOPs to code with the trials that were made already."""
    options = encoder.options
    if options.bpp is options.bitrate is options.target_size is options.target_psnr is None:
        return ConstantQuality(DEFAULT_CRF if options.crf is None else options.crf), ((gop, None) for gop in gops)
    twice = isinstance(encoder.source, (str, Path))
    survey = Survey(encoder, gops, twice)
    if options.target_psnr is not None:
        return ConstantPsnr(options.target_psnr, survey.trials), survey.planned
    budget, info = survey.budget(), encoder.info
    start = start_of(8.0 * budget / (info.width * info.height * survey.frames))
    return TargetSize(budget, survey.frames, GOP_OVERHEAD, survey.trials, start), survey.planned


class Survey:
    """One look at the source before coding: how many frames and audio bytes, and a spread sample of GOPs."""

    def __init__(self, encoder: Encoder, gops: Iterator[GopFrames], twice: bool) -> None:
        self.encoder = encoder
        self.kept: dict[int, tuple[GopFrames, Trial]] = {}
        self.frames, self.seconds, self.audio, self.packets = 0, 0.0, 0, 0
        self.spacing, self.whole = 1, twice
        held: list[GopFrames] = []
        for number, gop in enumerate(gops):
            self._count(gop)
            if gop.frames and number % self.spacing == 0:
                self._keep(number, gop)
            if not twice:
                held.append(gop)
                if len(held) >= PIPE_SAMPLE:
                    break
        self.planned = self._again(gops, held)
        if not self.kept:
            raise UsageError("the source has no frames to meet a target with")
        if not twice and encoder.info.frames:
            self.frames = max(self.frames, encoder.info.frames)
            self.seconds = self.frames / float(encoder.info.frame_rate)

    @property
    def trials(self) -> list[Trial]:
        """The sample."""
        return [trial for _, trial in self.kept.values()]

    def _keep(self, number: int, gop: GopFrames) -> None:
        self.kept[number] = (gop, self.encoder.trial(gop))
        if len(self.kept) > SAMPLE:  # too many: twice as far apart
            self.spacing *= 2
            self.kept = {n: kept for n, kept in self.kept.items() if n % self.spacing == 0}

    def _count(self, gop: GopFrames) -> None:
        self.frames += len(gop.frames)
        ticks = sum(frame.duration for frame in gop.frames)
        self.seconds += float(ticks * self.encoder.info.time_base)
        self._count_audio(gop.audio)
        self.encoder.tell(self.frames, "analyse", 0, None)

    def _count_audio(self, packets: list[AudioPacket]) -> None:
        self.audio += sum(len(packet.data) for packet in packets)
        self.packets += len(packets)

    def _again(self, gops: Iterator[GopFrames], held: list[GopFrames]) -> Planned:
        """All GOPs from the first one on; those of the sample come with their trials."""
        if not self.whole:
            for number, gop in enumerate(held):
                yield gop, self.kept[number][1] if number in self.kept else None
            yield from ((gop, None) for gop in gops)
            return
        with self.encoder.open() as reader:
            for number, gop in enumerate(self.encoder.gops(reader)):
                kept = self.kept.pop(number, None)
                yield gop, kept[1] if kept else None

    def budget(self) -> float:
        """Bytes for all coded GOPs."""
        options, info = self.encoder.options, self.encoder.info
        overhead = self.encoder.fixed + FILE_OVERHEAD
        if options.bpp is not None:
            return max(1.0, options.bpp * info.width * info.height * self.frames / 8.0 - overhead)
        if options.bitrate is not None:
            return max(1.0, options.bitrate * self.seconds / 8.0 - overhead)
        assert options.target_size is not None
        left = options.target_size - self.audio - AUDIO_OVERHEAD * self.packets - overhead
        if not self.whole:
            raise UsageError("--target-size needs a source that can be read twice: give a file instead of a pipe")
        if left <= 0:
            raise UsageError(f"--target-size leaves nothing for the video, because the audio alone takes {self.audio} "
                             "bytes: raise it, or drop the audio with -an")
        return float(left)
