"""Decoded frames, audio and captions into a file."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from xvc_bitstream import Caption, Reader, write_captions
from xvc_bitstream.records import AudioPacket

from xvcodec.codec.decode import Decoder, Source
from xvcodec.codec.pipeline import Ahead
from xvcodec.media import open_writer
from xvcodec.media.types import Frame
from xvcodec.media.writer import CONTAINERS
from xvcodec.options import DecodeOptions, DecodeResult, Progress, Report


def merge(frames: Iterator[Frame], audio: Iterator[AudioPacket], frame_base: Fraction,
          bases: list[Fraction]) -> Iterator[Frame | AudioPacket]:
    """Frames with the audio packets that belong before them, by time, as muxers want it."""
    packet = next(audio, None)
    for frame in frames:
        now = frame.pts * frame_base
        while packet is not None and _ticks(packet) * bases[packet.track] <= now:
            yield packet
            packet = next(audio, None)
        yield frame
    while packet is not None:
        yield packet
        packet = next(audio, None)


def _captions_beside(target: Path, captions: list[Caption]) -> list[str]:
    """Write one .vtt for each language next to an output that holds only pictures; returns what to tell people."""
    stem = re.sub(r"%0?\d*d", "", target.stem) or "captions"
    languages = list(dict.fromkeys(cue.language for cue in captions))
    told = []
    for number, language in enumerate(languages):
        # a language is a stranger's text: only plain ones become part of a name
        tag = language if re.fullmatch(r"[A-Za-z0-9-]{1,35}", language) else str(number)
        beside = target.with_name(f"{stem}.{tag}.vtt" if len(languages) > 1 else f"{stem}.vtt")
        if beside.exists():
            told.append(f"captions were not written, because {beside.name} is there already: move it away")
            continue
        write_captions(beside, captions, language)
        told.append(f"captions are in {beside.name}, because this output cannot hold them")
    return told


def _ticks(packet: AudioPacket) -> int:
    return packet.dts if packet.dts is not None else packet.pts or 0


def decode_file(source: Source, target: Source, options: DecodeOptions, report: Report | None) -> DecodeResult:
    """Decode `source` into `target`; see `xvcodec.decode`."""
    started = time.monotonic()
    with Reader.open(source, strict=not options.ignore_errors) as reader:
        decoder = Decoder(reader, options)
        info = decoder.info
        container = isinstance(target, (str, Path)) and Path(target).suffix.lower() in CONTAINERS
        tracks = reader.tracks if container and options.audio else []
        captions = decoder.captions()
        if decoder.window.end_seconds is not None and info.duration_us is not None:
            info = replace(info, duration_us=min(info.duration_us, int(decoder.window.end_seconds * 1e6)))
        writer = open_writer(target, info, codec=options.codec, options=options.codec_options, tracks=tracks,
                             captions=captions if container else [], tags=dict(reader.tags) if container else {},
                             chapters=reader.chapters if container else [])
        count = 0
        with writer, Ahead(decoder.frames(), 16) as frames:
            bases = [Fraction(*track.time_base) for track in tracks]
            audio = decoder.audio() if tracks else iter(())
            for item in merge(iter(frames), audio, info.time_base, bases):
                if isinstance(item, AudioPacket):
                    writer.audio(item)
                    continue
                writer.write(item)
                count += 1
                if report is not None:
                    report(Progress(count, info.frames, float(item.pts * info.time_base), 0,
                                    time.monotonic() - started, None, "decode"))
        warnings = [*writer.warnings]
        if reader.truncated:
            warnings.append("the file is cut off: what is left of it was decoded")
        if captions and not container and isinstance(target, (str, Path)) and str(target) != "-":
            warnings += _captions_beside(Path(target), captions)
        return DecodeResult(count, time.monotonic() - started, tuple(decoder.damage),
                            decoder.session.runtime.reason, tuple(warnings))
