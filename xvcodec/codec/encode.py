"""Encoding a file: read -> plan -> code -> entropy-code and write, each stage a generator, overlapping by threads."""

from __future__ import annotations

import io
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from xvc_bitstream import Header, Writer, atomic_open, read_captions
from xvc_bitstream.records import AudioPacket, Caption

from xvcodec.codec.budget import make_control
from xvcodec.codec.choice import model_for
from xvcodec.codec.guidance import prompt_caption, text_between
from xvcodec.codec.pipeline import Ahead
from xvcodec.codec.planner import GopFrames, plan
from xvcodec.codec.ratecontrol import RateControl
from xvcodec.codec.session import Session
from xvcodec.codec.slow import refine
from xvcodec.codec.trial import Coded, Trial
from xvcodec.errors import OutputError, UsageError
from xvcodec.media import open_video
from xvcodec.media.reader import VideoReader
from xvcodec.media.types import Frame, VideoInfo
from xvcodec.models.weights import load_model
from xvcodec.options import EncodeOptions, EncodeResult, Progress, Report
from xvcodec.text.load import load_text_encoder

Source = str | Path | BinaryIO
MICRO = 1_000_000


@dataclass
class Tally:
    """Sums over the GOPs written."""

    frames: int = 0
    quality: float = 0.0  # crf times frames
    decibel: float = 0.0  # PSNR times frames
    audio: int = 0  # bytes of audio chunks


def header_for(info: VideoInfo, session: Session, text_encoder: str) -> Header:
    """The container's header for a source coded in this session."""
    return Header(info.width, info.height, info.bit_depth, (info.sar.numerator, info.sar.denominator), info.rotation,
                  info.primaries, info.transfer, info.matrix, info.full_range, info.chroma_location,
                  (info.time_base.numerator, info.time_base.denominator),
                  (info.frame_rate.numerator, info.frame_rate.denominator), session.model.name, session.model.hash,
                  session.coder.id, text_encoder)


def captions_for(options: EncodeOptions, reader: VideoReader) -> list[Caption]:
    """The prompt, or the caption file, or the text subtitles of the source."""
    if options.prompt is not None:
        return [prompt_caption(options.prompt, options.language or "en")] if options.prompt.strip() else []
    if options.captions is not None:
        return list(read_captions(options.captions, options.language))
    return sorted(reader.captions, key=lambda cue: cue.start_us)


def caption_text(captions: list[Caption], gop: GopFrames, info: VideoInfo) -> str:
    """The guidance of a GOP: the cues on screen during it."""
    last = gop.frames[-1]
    start, end = (int(ticks * info.time_base * MICRO) for ticks in (gop.frames[0].pts, last.pts + last.duration))
    return text_between(captions, start, end)


class Encoder:
    """One encode under way; `run` does it."""

    def __init__(self, source: Source, options: EncodeOptions, report: Report | None) -> None:
        self.source, self.options, self.report = source, options, report
        self.started = time.monotonic()
        self.tally = Tally()

    def open(self) -> VideoReader:
        """Open the source (again, for a second pass)."""
        options = self.options
        return open_video(self.source, start=options.start, duration=options.duration, end=options.end,
                          audio=options.audio)

    def run(self, target: Source) -> EncodeResult:
        """Encode into a path (written under a temporary name first) or a binary file object."""
        options = self.options
        with ExitStack() as stack:
            reader, text_encoder = self.begin(stack)
            header = header_for(reader.info, self.session, text_encoder)
            self.fixed = self._fixed_bytes(header, reader)
            # everything is closed here and in order, not when a traceback lets go of it: threads end, then files close
            gops = stack.enter_context(closing(self.gops(reader)))
            control, planned = make_control(self, gops)
            stack.enter_context(closing(planned))
            sink = target if not isinstance(target, (str, Path)) else stack.enter_context(atomic_open(target))
            writer = Writer(sink, header)
            self._metadata(writer, reader)
            ahead = stack.enter_context(Ahead(self.code(planned, control)))
            for gop, coded in ahead:
                self._write(writer, gop, coded)
            writer.close()
            if options.verify and isinstance(target, (str, Path)):
                self._verify(sink)
            return self._result(writer.bytes_written, tuple(reader.warnings))

    def begin(self, stack: ExitStack) -> tuple[VideoReader, str]:
        """Open the source until `stack` ends, and the session; returns the reader and the text encoder's id."""
        options = self.options
        reader = stack.enter_context(self.open())
        captions = captions_for(options, reader)
        model = load_model(model_for(options, reader.info))
        text = load_text_encoder(options.text_encoder)
        self.session = Session.open(model, options.coder, text, options.backend, options.device)
        if options.tune not in (None, *self.session.codec.tunes):
            raise UsageError(f"{model.name} has no --tune {options.tune}: leave it out, or choose another --model")
        self.info, self.captions = reader.info, captions
        if options.tokens is not None and not self.session.codec.requirements.tokens:
            raise UsageError(f"--tokens is for models that write tokens, which {model.name} does not: add --model onedva")
        return reader, text.id

    def gops(self, reader: Iterable[Frame | AudioPacket]) -> Generator[GopFrames]:
        """GOPs of the source, read in a thread ahead of the model."""
        limit = self.session.codec.requirements.max_gop_pixels
        with Ahead(plan(reader, self.options.gop, limit)) as ahead:
            yield from ahead

    def trial(self, gop: GopFrames) -> Trial:
        """The GOP with its guidance, ready to be coded."""
        guide = self.session.guidance(caption_text(self.captions, gop, self.info))
        guide = replace(guide, tokens=self.options.tokens, seed=self.options.seed)
        return Trial(self.session, gop.frames, self.info, guide, self.options.tune or self.session.codec.tunes[0])

    def code(self, gops: Iterable[tuple[GopFrames, Trial | None]],
             control: RateControl) -> Iterator[tuple[GopFrames, tuple[Coded, float] | None]]:
        """Code GOP after GOP; each with its PSNR when that was asked for (else 0)."""
        for gop, trial in gops:
            if not gop.frames:  # audio after the last frame
                yield gop, None
                continue
            trial = trial or self.trial(gop)
            coded = control.code(trial)
            if self.options.preset == "slow":
                coded = refine(trial, coded)
            yield gop, (coded, trial.psnr(coded) if self.options.psnr else 0.0)

    def tell(self, frame: int, stage: str, size: int, quality: float | None) -> None:
        """Report progress."""
        if self.report is not None:
            total = self.info.frames
            seconds = float(frame / self.info.frame_rate) if self.info.frame_rate else 0.0
            self.report(Progress(frame, total, seconds, size, time.monotonic() - self.started, quality, stage))

    def _fixed_bytes(self, header: Header, reader: VideoReader) -> int:
        """Bytes in front of the first GOP."""
        writer = Writer(io.BytesIO(), header)
        self._metadata(writer, reader)
        return writer.bytes_written

    def _metadata(self, writer: Writer, reader: VideoReader) -> None:
        if reader.tracks:
            writer.tracks(reader.tracks)
        if self.captions:
            writer.captions(self.captions)
        tags = {**reader.tags, **self.options.metadata}
        if tags:
            writer.tags(tags)
        if reader.chapters:
            writer.chapters(reader.chapters)

    def _write(self, writer: Writer, gop: GopFrames, done: tuple[Coded, float] | None) -> None:
        if done is not None:
            coded, decibel = done
            writer.gop(coded.gop)
            count = len(gop.frames)
            self.tally.frames += count
            self.tally.quality += coded.quality * count
            self.tally.decibel += decibel * count
            self.tell(self.tally.frames, "encode", writer.bytes_written, coded.quality)
        before = writer.bytes_written
        writer.audio(gop.audio)
        self.tally.audio += writer.bytes_written - before

    def _verify(self, file: BinaryIO) -> None:
        from xvcodec.codec.check import verify

        outcome = verify(file, self.options.model_name if self.options.model_name.endswith(".safetensors") else None)
        if not outcome.ok:
            raise OutputError(f"the encoded file does not decode ({outcome.problems[0]}): nothing was kept")

    def _result(self, size: int, warnings: tuple[str, ...]) -> EncodeResult:
        tally, info = self.tally, self.info
        pixels = info.width * info.height * tally.frames
        psnr = float(np.round(tally.decibel / tally.frames, 4)) if self.options.psnr else None
        return EncodeResult(tally.frames, info.width, info.height, size, size - tally.audio,
                            8.0 * (size - tally.audio) / pixels, psnr, time.monotonic() - self.started,
                            tally.quality / tally.frames, self.session.runtime.reason, warnings)
