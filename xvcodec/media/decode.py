"""Demux one file and decode its video stream: frames and audio packets in file order, times as the file has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import av
from xvc_bitstream import limits
from xvc_bitstream.errors import UsageError as RecordError
from xvc_bitstream.records import AudioPacket, AudioTrack

from xvcodec.errors import InputError

from .describe import audio_track, describe_video
from .normalise import Normaliser
from .source import Source, check_size, name_of, open_container, video_stream
from .trim import Window
from .types import Frame


class SeekMissedError(Exception):
    """Seeking landed after the wanted time, and nothing has been handed out yet."""


class Decoder:
    """An open file. `counts` gathers what had to be worked around, `normalise` is set by the first picture."""

    def __init__(self, source: Source, window: Window, audio: bool, counts: Counter[str]) -> None:
        self.container = open_container(source)
        self._name, self._window, self._counts = name_of(source), window, counts
        self._last: int | None = None  # pts of the newest accepted picture
        self.normalise: Normaliser | None = None
        self.pictures_done = False  # set by the caller: only audio is still wanted
        self.tracks: list[AudioTrack] = []
        self._track_of: dict[int, int] = {}
        try:
            self.stream = video_stream(self.container, self._name)
            self.stream.thread_type = "SLICE"  # frame threads hang when a reader stops early
            self.ticks = self.stream.time_base or Fraction(1, 1000)
            window.origin = Fraction((self.stream.start_time or 0) * self.ticks)
            for stream in self.container.streams.audio if audio else ():
                self._add_track(stream)
            for other in self.container.streams:
                if other is not self.stream and other.index not in self._track_of:
                    other.discard = av.stream.Discard.all
        except BaseException:
            self.container.close()
            raise

    def _add_track(self, stream: av.AudioStream) -> None:
        track = audio_track(stream) if len(self.tracks) < limits.MAX_TRACKS else None
        if track is None:
            self._counts["an audio track of an unknown kind is left out"] += 1
            return
        self._track_of[stream.index] = len(self.tracks)
        self.tracks.append(track)

    def seek(self, time: Fraction) -> bool:
        """Go to the key frame at or before `time`; False where the input cannot (pipes, formats without an index)."""
        try:
            self.container.seek(int(time / self.ticks), stream=self.stream, backward=True)
        except (av.error.FFmpegError, OSError):
            return False
        return True

    def items(self, seeked: bool) -> Iterator[Frame | AudioPacket]:
        """Every frame from the window's start on and every audio packet; raises SeekMissedError before the first."""
        for packet in self._packets():
            if packet.size and packet.stream_index in self._track_of:
                yield from self._audio(packet)
            elif packet.stream is not self.stream:
                continue  # the empty packets that end audio streams
            elif self.pictures_done:
                if self._window.far_beyond(packet):
                    return
            else:
                for picture in self._pictures(packet):
                    frame = self._accept(picture, seeked)
                    if frame is not None:
                        yield frame

    def _packets(self) -> Iterator[av.Packet]:
        wanted = [self.container.streams[index] for index in self._track_of]
        try:
            yield from self.container.demux(self.stream, *wanted)
        except (av.error.FFmpegError, OSError):
            self._counts["the input is damaged or cut off, and was read up to there"] += 1
            drain = av.Packet()
            drain.stream = self.stream
            yield drain

    def _pictures(self, packet: av.Packet) -> list[av.VideoFrame]:
        try:
            return self.stream.codec_context.decode(packet if packet.size else None)
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, OSError):
            self._counts["packets that do not decode left out"] += 1
            return []

    def _accept(self, picture: av.VideoFrame, seeked: bool) -> Frame | None:
        """`picture` as a frame with a time of its own, or None when it is too early or out of order."""
        check_size(picture.width, picture.height, self._name)
        if self.normalise is None:
            info = describe_video(self.container, self.stream, picture, self._window, self._counts)
            self.normalise = Normaliser(info, lambda: self._counts.update(["frames of another size scaled"]))
        pts, last = picture.pts, self._last
        if pts is None:
            step = self.normalise.info.frame_ticks
            pts = round(self._window.origin / self.ticks) if last is None else last + step
        if last is not None and pts <= last:
            self._counts["frames left out because their timestamps do not increase"] += 1
            return None
        if seeked and last is None and pts * self.ticks > self._window.first:
            raise SeekMissedError
        self._last = pts
        if not self._window.after_start(pts * self.ticks):
            return None
        if abs(pts) > limits.MAX_PTS:
            raise InputError(f"{self._name} has timestamps beyond any sensible time.")
        frame = self.normalise(picture, pts)
        return Frame(pts, *frame.planes, picture.duration or 0)

    def _audio(self, packet: av.Packet) -> Iterator[AudioPacket]:
        track, duration = self._track_of[packet.stream_index], max(0, packet.duration or 0)
        try:
            yield AudioPacket(track, packet.pts, packet.dts, duration, bytes(packet), packet.is_keyframe)
        except RecordError:
            self._counts["audio packets beyond the limits left out"] += 1
