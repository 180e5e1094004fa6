"""Read video files: frames as YUV 4:2:0 planes with exact timestamps, audio packets untouched, in file order."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from xvc_bitstream.records import AudioPacket, AudioTrack, Caption, Chapter

from xvcodec.errors import InputError

from .captions import read_captions
from .decode import Decoder, SeekMissedError
from .describe import read_chapters, read_tags
from .source import Source, can_seek, name_of
from .trim import Window
from .types import Frame, VideoInfo


class VideoReader:
    """One video stream and all audio tracks of a file; made by `open_video`, iterated once.

    Iterating yields `Frame` and `AudioPacket` in the file's order. Memory does not grow with duration.
    """

    def __init__(self, source: Source, window: Window, audio: bool) -> None:
        self._source, self._window, self._audio = source, window, audio
        self._counts: Counter[str] = Counter()
        self._captions: list[Caption] | None = None
        self._queue: deque[Frame | AudioPacket] = deque()
        in_file = not isinstance(source, str | os.PathLike) and can_seek(source)
        self._place = source.tell() if in_file else 0  # type: ignore[union-attr]  # a file object
        self._decoder = Decoder(source, window, audio, self._counts)
        self._items = self._read_all()
        try:
            self._prime()
            self.tags: dict[str, str] = read_tags(self._decoder.container)
            self.chapters: list[Chapter] = read_chapters(self._decoder.container, window)
        except BaseException:
            self.close()
            raise

    def _prime(self) -> None:
        """Read up to the first frame, so that a file without one is refused here and `info` is complete."""
        for item in self._items:
            self._queue.append(item)
            if isinstance(item, Frame):
                return
        name = name_of(self._source)
        if self._window.bounded and self._decoder.normalise is not None:
            raise InputError(f"{name} has no frame in the chosen time range; check -ss, -t and -to.")
        raise InputError(f"Not one frame of {name} can be decoded.")

    @property
    def info(self) -> VideoInfo:
        """Size, depth, colour, time base and estimates of length (after trimming)."""
        assert self._decoder.normalise is not None  # _prime has decoded a picture
        return self._decoder.normalise.info

    @property
    def tracks(self) -> list[AudioTrack]:
        """The audio tracks; `AudioPacket.track` counts through them."""
        return self._decoder.tracks

    @property
    def captions(self) -> list[Caption]:
        """Cues of the text subtitle streams, in the time of the frames; read on first use."""
        if self._captions is None:
            window = self._window
            first = window.first if window.shifts else None
            self._captions = read_captions(self._source, first, window.last, window.shift)
        return self._captions

    @property
    def warnings(self) -> list[str]:
        """What had to be worked around so far, each with its count."""
        return [f"{count} x {what}" if count > 1 else what for what, count in self._counts.items()]

    def frames(self) -> Iterator[Frame]:
        """Only the pictures."""
        return (item for item in self if isinstance(item, Frame))

    def __iter__(self) -> Iterator[Frame | AudioPacket]:
        while self._queue:
            yield self._queue.popleft()
        yield from self._items

    def _read_all(self) -> Iterator[Frame | AudioPacket]:
        # In a pipe FFmpeg would "seek" by throwing away all that comes before, key frame included.
        seeked = bool(self._window.start) and can_seek(self._source) and self._decoder.seek(self._window.first)
        try:
            yield from self._read(seeked)
        except SeekMissedError:  # a wrong index: begin again and read up to the place
            self._decoder.container.close()
            if not isinstance(self._source, str | os.PathLike):
                self._source.seek(self._place)
            self._decoder = Decoder(self._source, self._window, self._audio, self._counts)
            yield from self._read(False)

    def _read(self, seeked: bool) -> Iterator[Frame | AudioPacket]:
        """Frames wait one turn, because a frame lasts until the next one begins (a decoder's durations are in coding
        order); when times shift, audio waits for the first frame, which sets the shift."""
        window, decoder = self._window, self._decoder
        held: Frame | None = None
        waiting: list[AudioPacket] = []
        open_tracks = set(range(len(decoder.tracks)))
        for item in decoder.items(seeked):
            if isinstance(item, AudioPacket):
                if held is None and window.shifts and not decoder.pictures_done:
                    if window.maybe_audio(item, decoder.tracks[item.track]):
                        waiting.append(item)
                else:
                    yield from self._kept_audio(item, open_tracks)
            elif not decoder.pictures_done:
                if held is not None:
                    yield self._timed(held, item.pts - held.pts)
                inside = window.before_end(item.pts * decoder.ticks)
                if held is None and inside:
                    window.begin(item.pts * decoder.ticks)
                    for packet in waiting:
                        yield from self._kept_audio(packet, open_tracks)
                held = item if inside else None
                decoder.pictures_done = not inside
            if decoder.pictures_done and not open_tracks:
                return
        if held is not None:
            yield self._timed(held, self._last_duration(held))

    def _kept_audio(self, packet: AudioPacket, open_tracks: set[int]) -> Iterator[AudioPacket]:
        track = self._decoder.tracks[packet.track]
        if self._window.keeps_audio(packet, track):
            yield self._window.shift_audio(packet, track)
        elif self._window.audio_done(packet, track):
            open_tracks.discard(packet.track)

    def _timed(self, frame: Frame, duration: int) -> Frame:
        shift = round(self._window.shift / self._decoder.ticks)
        return Frame(frame.pts - shift, *frame.planes, duration)

    def _last_duration(self, frame: Frame) -> int:
        """Up to the stream's end where the container knows it (and it is plausible), else what the decoder says."""
        stream, nominal = self._decoder.stream, max(frame.duration, self.info.frame_ticks)
        left = (stream.start_time or 0) + (stream.duration or 0) - frame.pts
        return left if 0 < left <= 100 * nominal else frame.duration or nominal

    def close(self) -> None:
        """Release the file; safe to call twice."""
        self._queue.clear()
        self._decoder.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_video(
    source: Source,
    *,
    start: float | None = None,
    duration: float | None = None,
    end: float | None = None,
    audio: bool = True,
) -> VideoReader:
    """Open a video for reading.

    `source` is a path, an image sequence pattern (`frame%05d.png`), `-` for the standard input, or a binary file
    object (one that cannot seek is read as a pipe). `start`, `duration` and `end` are seconds as in ffmpeg's `-ss`,
    `-t` and `-to`, counted from the first frame; `duration` wins over `end`. With `start`, times are shifted so that
    the first frame is at 0. Raises InputError, and UsageError for a range of time that is none.
    """
    return VideoReader(source, Window.of(start, duration, end), audio)
