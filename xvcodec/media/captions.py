"""Text subtitle streams of a file as captions, and language codes as containers want them."""

from __future__ import annotations

import html
import os
import re
from fractions import Fraction

import av
from xvc_bitstream import limits
from xvc_bitstream.records import Caption

from .source import Source, is_pattern, open_container

_TEXT = {"subrip", "srt", "webvtt", "mov_text", "ass", "ssa", "text"}
_STYLE = re.compile(r"</?(?:i|b|u|s|font)\b[^<>]*>|\{\\[^}]*\}", re.IGNORECASE)  # of SubRip and of ASS
_CUE_TAG = re.compile(r"<[^<>]*>")  # of WebVTT, where a literal < is written &lt;
_MAX_CUES = limits.MAX_CAPTIONS
_MAX_TEXT = limits.MAX_CAPTION_BYTES // 4  # characters, of at most four bytes

# Containers name languages by ISO 639-2; people (and WebVTT) by the two letters of ISO 639-1.
_ISO_639_2 = dict(
    re.findall(
        "(..):(...)",
        "ar:ara bg:bul bn:ben ca:cat cs:ces da:dan de:deu el:ell en:eng es:spa et:est fa:fas fi:fin fr:fra he:heb hi:hin "
        "hr:hrv hu:hun id:ind is:isl it:ita ja:jpn ko:kor lt:lit lv:lav ms:msa nb:nob nl:nld no:nor pl:pol pt:por ro:ron "
        "ru:rus sk:slk sl:slv sr:srp sv:swe ta:tam te:tel th:tha tr:tur uk:ukr ur:urd vi:vie zh:zho",
    )
)


def language_code(language: str) -> str:
    """The three letters of ISO 639-2 for `language` ("en", "en-GB", "eng"), "und" where unknown."""
    primary = re.split("[-_]", language.strip().lower())[0]
    return primary if re.fullmatch("[a-z]{3}", primary) else _ISO_639_2.get(primary, "und")


def read_captions(source: Source, first: Fraction | None, end: Fraction | None, shift: Fraction) -> list[Caption]:
    """All text cues of `source` in time order, `shift` seconds subtracted; cues outside `first`..`end` are left out.

    The file is opened a second time and only its subtitle streams are read, so the video's own reader is undisturbed.
    Best effort: pipes, bitmap subtitles and damaged cues give nothing.
    """
    if not isinstance(source, str | os.PathLike) or os.fspath(source) == "-" or is_pattern(source):
        return []
    cues: list[Caption] = []
    with open_container(source) as container:
        streams = [s for s in container.streams.subtitles if s.codec_context and s.codec_context.name in _TEXT]
        for other in container.streams:
            if other not in streams:
                other.discard = av.stream.Discard.all
        try:
            for packet in container.demux(streams) if streams else ():
                if len(cues) >= _MAX_CUES:
                    break
                cues += _cues(packet, first, end, shift)
        except av.error.FFmpegError:
            pass  # a damaged end: keep what came before
    return sorted(cues, key=lambda cue: (cue.start_us, cue.language))


def _cues(packet: av.Packet, first: Fraction | None, end: Fraction | None, shift: Fraction) -> list[Caption]:
    if packet.pts is None or not packet.size:
        return []
    start = packet.pts * packet.time_base
    stop = start + (packet.duration or 0) * packet.time_base
    if (first is not None and stop <= first) or (end is not None and start >= end):
        return []
    language = packet.stream.language or ""
    begin, close = (max(0, round((moment - shift) * 1_000_000)) for moment in (start, stop))
    texts = (line.strip()[:_MAX_TEXT] for line in _texts(packet))
    known = "" if language == "und" else language[: limits.MAX_LANGUAGE // 4]
    return [Caption(begin, max(begin + 1, close), text, known) for text in texts if text]


def _texts(packet: av.Packet) -> list[str]:
    """The plain text of a packet, styling removed; FFmpeg's own decoders would also eat braces that are text."""
    codec, data = packet.stream.codec_context.name, bytes(packet)
    if codec == "mov_text":
        return [data[2 : 2 + int.from_bytes(data[:2], "big")].decode("utf-8", "replace")]
    if codec == "webvtt":
        return [html.unescape(_CUE_TAG.sub("", data.decode("utf-8", "replace")))]
    if codec in ("ass", "ssa"):
        try:
            lines = [rect.dialogue.decode("utf-8", "replace") for rect in packet.decode() if hasattr(rect, "dialogue")]
        except av.error.FFmpegError:
            return []
        return [_STYLE.sub("", line) for line in lines]
    return [_STYLE.sub("", data.decode("utf-8", "replace").replace("\r\n", "\n"))]
