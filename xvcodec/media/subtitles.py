"""Captions as subtitle tracks of a container, one track a language."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
from av.container import OutputContainer
from av.stream import Stream
from xvc_bitstream.records import OPEN_END, Caption

from .captions import language_code

FORMATS = {"matroska": "subrip", "webm": "webvtt", "mp4": "mov_text", "mov": "mov_text"}
_MILLI = Fraction(1, 1000)
_OPEN_US = 10_000_000  # how long an open-ended cue is shown when nobody knows how long the video is
# What FFmpeg's text encoders want to be told about style before they make a sample description.
_ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\nFormat: Name, "
    b"Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, "
    b"StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, "
    b"Encoding\r\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0\r\n\r\n"
    b"[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


class SubtitleTracks:
    """Feeds cues to a container in step with the video, so that the file stays interleaved."""

    def __init__(self, container: OutputContainer, captions: Sequence[Caption], duration_us: int | None) -> None:
        self._codec = FORMATS[container.format.name]
        self._cues = sorted((c for c in captions if c.text.strip()), key=lambda cue: cue.start_us)
        self._next = 0
        self._end = duration_us
        languages = dict.fromkeys(cue.language for cue in self._cues)
        self._streams = {language: self._add(container, language) for language in languages}

    def _add(self, container: OutputContainer, language: str) -> Stream:
        stream: Stream
        if self._codec == "mov_text":  # its sample description comes from the encoder
            stream = text = container.add_stream("mov_text")
            text.codec_context.subtitle_header = _ASS_HEADER
            text.codec_context.time_base = _MILLI
            text.codec_context.open()
        else:
            stream = container.add_mux_stream(self._codec)
        stream.time_base = _MILLI
        stream.metadata["language"] = language_code(language)
        return stream

    def until(self, time_us: int | None) -> Iterator[av.Packet]:
        """Packets of the cues that begin no later than `time_us`; all that are left for None."""
        while self._next < len(self._cues):
            cue = self._cues[self._next]
            if time_us is not None and cue.start_us > time_us:
                return
            self._next += 1
            yield self._packet(cue)

    def _coded(self, text: str) -> bytes:
        if self._codec == "webvtt":
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        data = text.encode()
        return struct.pack(">H", len(data)) + data if self._codec == "mov_text" else data

    def _packet(self, cue: Caption) -> av.Packet:
        end = cue.end_us
        if self._end is not None:
            end = max(min(end, self._end), cue.start_us + 1)
        elif end >= OPEN_END:
            end = cue.start_us + _OPEN_US
        packet = av.Packet(self._coded(cue.text.strip()))
        packet.stream = self._streams[cue.language]
        packet.time_base = _MILLI
        packet.pts = packet.dts = round(cue.start_us / 1000)
        packet.duration = max(1, round((end - cue.start_us) / 1000))
        packet.is_keyframe = True
        return packet
