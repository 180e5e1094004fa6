"""Write video files through FFmpeg (mp4, mov, mkv, webm), y4m, and pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING

import av
from av.container import OutputContainer
from xvc_bitstream.records import AudioPacket, AudioTrack, Caption, Chapter

from xvcodec.errors import OutputError

from .audio_template import add_audio, audio_packet
from .encoder import Encoder
from .images import SUFFIXES as IMAGES
from .images import ImageWriter
from .sink import Placeholder, VideoWriter, reason
from .source import is_pattern
from .subtitles import SubtitleTracks
from .types import Frame, VideoInfo
from .y4m import Y4mWriter

if TYPE_CHECKING:
    from av.container.core import Chapter as AvChapter  # only in PyAV's stubs

Target = str | os.PathLike[str] | IO[bytes]
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_HEADROOM_US = 1_000_000  # captions are handed over this long before their frame
_MICRO = Fraction(1, 1_000_000)


class ContainerWriter(VideoWriter):
    """A file of video, audio and captions; everything that can fail for its options fails when it is made."""

    def __init__(
        self,
        target: Path,
        info: VideoInfo,
        codec: str | None,
        options: Mapping[str, str],
        tracks: Sequence[AudioTrack],
        captions: Sequence[Caption],
        tags: Mapping[str, str],
        chapters: Sequence[Chapter],
    ) -> None:
        super().__init__()
        self._info, self._tracks, self._frames = info, tracks, 0
        self._last: int | None = None
        self._audio_pts: dict[int, int] = {}  # of the packet before, by track
        form = CONTAINERS[target.suffix.lower()]
        self._place = Placeholder(target)
        self._container: OutputContainer | None = _create(self._place, form, info)
        try:
            name = codec or _default_codec(form, info)
            self._encoder = Encoder(self._container, info, name, dict(options))
            self._audio = [add_audio(self._container, track) for track in tracks]
            self._subtitles = SubtitleTracks(self._container, captions, info.duration_us)
            self._container.metadata.update(tags)
            self._container.set_chapters([_chapter(number, entry) for number, entry in enumerate(chapters)])
            self._container.start_encoding()
        except OutputError:
            self.abort()
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.abort()
            content = ", ".join(dict.fromkeys((name, *(track.codec for track in tracks))))
            raise OutputError(f"'{target}' cannot be written with {content} in it ({reason(error)}).") from error
        if self._encoder.full_chroma:
            self.warnings.append(f"{name} needs even sizes for 4:2:0, so this odd size is stored as 4:4:4.")
        if form in ("matroska", "webm") and info.sar not in (0, 1) and name not in ("libx264", "libx265"):
            self.warnings.append(f"{name} in {target.suffix} cannot hold the pixel aspect {info.sar}; .mp4 can.")

    def write(self, frame: Frame) -> None:
        """Encode a frame at exactly its pts (Matroska rounds to a millisecond)."""
        if self._last is not None and frame.pts <= self._last:
            self.abort()
            raise OutputError(f"Timestamps must increase, but {frame.pts} follows {self._last}.")
        self._last = frame.pts
        self._frames += 1
        now = round(frame.pts * self._info.time_base / _MICRO)
        self._mux(self._subtitles.until(now + _HEADROOM_US))
        self._mux(self._encoder.encode(frame))

    def audio(self, packet: AudioPacket) -> None:
        """Copy an audio packet."""
        if not 0 <= packet.track < len(self._audio):
            return  # a track that the caller chose not to write
        stream, track = self._audio[packet.track], self._tracks[packet.track]
        times = (packet.pts, packet.dts, packet.duration or self._audio_duration(packet))
        self._mux([audio_packet(stream, track, *times, packet.data, packet.keyframe)])

    def _audio_duration(self, packet: AudioPacket) -> int:
        """A duration for a packet without one: mp4 would hide the last packet if it were 0."""
        track, pts = self._tracks[packet.track], packet.pts or 0
        before = self._audio_pts.get(packet.track, pts)
        self._audio_pts[packet.track] = pts
        known = round(Fraction(track.frame_size, track.sample_rate) / Fraction(*track.time_base))
        return known or max(1, pts - before)

    def _mux(self, packets: Iterable[av.Packet]) -> None:
        if self._container is None:
            raise OutputError(f"'{self._place.target}' is closed already.")
        try:
            for packet in packets:
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise OutputError(f"'{self._place.target}' cannot be written ({reason(error)}).") from error

    def close(self) -> None:
        """Drain the encoder, complete the file and give it its name."""
        if self._container is None:
            return
        if not self._frames:
            self.abort()
            raise OutputError(f"Not one frame came, so '{self._place.target}' was not written.")
        self._mux(self._encoder.encode(None))
        self._mux(self._subtitles.until(None))
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise OutputError(f"'{self._place.target}' cannot be completed ({reason(error)}).") from error
        self._container = None
        self._place.commit()

    def abort(self) -> None:
        """Close and remove the temporary file."""
        container, self._container = self._container, None
        if container is not None:
            try:
                container.close()
            except (av.error.FFmpegError, OSError, ValueError):
                pass  # it is being thrown away
        self._place.discard()


def _default_codec(form: str, info: VideoInfo) -> str:
    if form == "webm":
        return "libsvtav1" if info.bit_depth == 10 else "libvpx-vp9"  # PyAV's libvpx is built for 8 bits only
    return "libx264"


def _create(place: Placeholder, form: str, info: VideoInfo) -> OutputContainer:
    options = {"movflags": "+faststart", "video_track_timescale": str(info.time_base.denominator)}
    if form in ("matroska", "webm"):  # else a sound that begins before 0 (every AAC of an mp4) would move the frames
        options = {"avoid_negative_ts": "disabled"}
    try:
        return av.open(str(place.path), "w", format=form, container_options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"'{place.target}' cannot be written ({reason(error)}).") from error


def _chapter(number: int, chapter: Chapter) -> AvChapter:
    return {
        "id": number,
        "start": chapter.start_us,
        "end": chapter.end_us,
        "time_base": _MICRO,
        "metadata": {"title": chapter.title},
    }


def open_writer(
    target: Target,
    info: VideoInfo,
    *,
    codec: str | None = None,
    options: Mapping[str, str] | None = None,
    tracks: Sequence[AudioTrack] = (),
    captions: Sequence[Caption] = (),
    tags: Mapping[str, str] | None = None,
    chapters: Sequence[Chapter] = (),
) -> VideoWriter:
    """Open an output for writing; the suffix chooses what it is. Raises OutputError.

    `.mp4 .m4v .mov .mkv .webm` hold everything; `codec` and `options` are FFmpeg's (default libx264 crf 12, for webm
    libvpx-vp9, or libsvtav1 for 10 bits). `.y4m`, `-` and file objects get y4m; `.png` and `.jpg` one picture,
    or many with `frame%05d.png`.
    Files appear under their name only when complete. `writer.warnings` says what the output cannot hold.
    """
    writer = _open(target, info, codec, options or {}, tracks, captions, tags or {}, chapters)
    if not isinstance(writer, ContainerWriter):
        lost = [what for what, there in (("audio", tracks), ("captions", captions), ("chapters", chapters)) if there]
        if lost:
            writer.warnings.append(f"This kind of output holds only pictures; left out: {', '.join(lost)}.")
    return writer


def _open(
    target: Target,
    info: VideoInfo,
    codec: str | None,
    options: Mapping[str, str],
    tracks: Sequence[AudioTrack],
    captions: Sequence[Caption],
    tags: Mapping[str, str],
    chapters: Sequence[Chapter],
) -> VideoWriter:
    if not isinstance(target, str | os.PathLike):
        return Y4mWriter(target, info)
    if os.fspath(target) == "-":
        return Y4mWriter(None, info)
    path = Path(target)
    suffix = path.suffix.lower()
    if suffix in CONTAINERS:
        return ContainerWriter(path, info, codec, options, tracks, captions, tags, chapters)
    if codec or options:
        raise OutputError(f"A codec and its options are for {' '.join(CONTAINERS)}, not for '{path.name}'.")
    if suffix == ".y4m":
        return Y4mWriter(path, info)
    if suffix in IMAGES:
        return ImageWriter(path, info, is_pattern(path))
    known = " ".join((*CONTAINERS, ".y4m", *IMAGES))
    raise OutputError(f"'{path.name}' does not say what to write; end it in one of {known}, or use - for y4m.")
