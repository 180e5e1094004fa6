"""What goes into a file comes out of it: planes, times, description, sound, captions."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_clips import (
    INFO,
    VFR,
    hashes,
    make_frames,
    read_clip,
    same_planes,
    sized,
    steady,
    times,
    two_sounds,
    write_clip,
)  # fmt: skip
from xvc_bitstream.records import OPEN_END, Caption, Chapter

from xvcodec.media import Frame, VideoInfo, open_video, open_writer
from xvcodec.media.synth import sweep

FAST = {"preset": "ultrafast"}


@pytest.mark.parametrize("size", [(37, 23), (1, 1), (2, 2), (64, 48)])
@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("suffix", [".y4m", ".mkv"])
def test_lossless_formats_keep_every_sample(tmp_path: Path, size: tuple[int, int], depth: int, suffix: str) -> None:
    info = sized(*size, bit_depth=depth)
    frames = make_frames(info, steady(3))
    path = tmp_path / f"clip{suffix}"
    write_clip(path, info, frames, **({"codec": "ffv1"} if suffix == ".mkv" else {}))
    back, decoded, _ = read_clip(path)
    assert (back.width, back.height, back.bit_depth) == (*size, depth)
    assert len(decoded) == 3 and all(same_planes(a, b) for a, b in zip(frames, decoded, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([8, 10]), st.booleans(), st.integers(1, 3))
def test_y4m_pipe_round_trip(width: int, height: int, depth: int, full: bool, count: int) -> None:
    info = sized(width, height, bit_depth=depth, full_range=full, sar=Fraction(4, 3), frame_rate=Fraction(30000, 1001))
    frames = make_frames(info, steady(count))
    buffer = io.BytesIO()
    with open_writer(buffer, info) as writer:
        for frame in frames:
            writer.write(frame)
    back, decoded, _ = read_clip(Pipe(buffer.getvalue()))
    assert back.full_range == full and back.sar == info.sar and back.frame_rate == info.frame_rate
    assert [frame.pts for frame in decoded] == list(range(count))
    assert all(same_planes(a, b) for a, b in zip(frames, decoded, strict=True))


class Pipe:
    """A file object that can only be read."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 1000))  # short reads, as pipes have them

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_description_and_variable_rate(tmp_path: Path, suffix: str) -> None:
    info = replace(INFO, sar=Fraction(4, 3), rotation=90, primaries=9, transfer=16, matrix=9, full_range=True)
    path = tmp_path / f"clip{suffix}"
    frames = make_frames(info, VFR, 4500)
    write_clip(path, info, frames, options=FAST)
    back, decoded, _ = read_clip(path)
    for name in ("width", "height", "bit_depth", "sar", "rotation", "primaries", "transfer", "matrix", "full_range"):
        assert getattr(back, name) == getattr(info, name), name
    exact = suffix != ".mkv"  # Matroska counts milliseconds
    for want, got in zip(times(info, frames), times(back, decoded), strict=True):
        assert want == got if exact else abs(want - got) <= Fraction(1, 2000)
    if exact:
        assert [frame.duration * back.time_base for frame in decoded] == [f.duration * info.time_base for f in frames]
    assert max(np.abs(a.y.astype(int) - b.y).max() for a, b in zip(frames, decoded, strict=True)) < 40


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation(tmp_path: Path, rotation: int) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, replace(INFO, rotation=rotation), make_frames(INFO, steady(2)), options=FAST)
    assert read_clip(path)[0].rotation == rotation


@pytest.mark.parametrize(("name", "size", "depth"), [
    ("a.mp4", (37, 23), 8), ("a.mov", (37, 23), 8), ("a.mkv", (37, 23), 10), ("a.webm", (37, 23), 8),
    ("a.mp4", (1, 1), 8), ("a.webm", (64, 48), 10), ("a.mp4", (64, 48), 10),
])  # fmt: skip
def test_default_codecs_take_any_size(tmp_path: Path, name: str, size: tuple[int, int], depth: int) -> None:
    info = sized(*size, bit_depth=depth)
    flat = [Frame(f.pts, *(p * 0 + (400 if depth == 10 else 100) for p in f.planes), 3000)
            for f in make_frames(info, steady(2))]  # fmt: skip
    write_clip(tmp_path / name, info, flat)
    back, decoded, _ = read_clip(tmp_path / name)
    assert (back.width, back.height, back.bit_depth, len(decoded)) == (*size, depth, 2)
    for a, b in zip(flat, decoded, strict=True):
        assert all(np.abs(p.astype(int) - q).max() <= depth // 2 for p, q in zip(a.planes, b.planes, strict=True))


def test_one_frame(tmp_path: Path) -> None:
    write_clip(tmp_path / "one.mp4", INFO, make_frames(INFO, (0,), 1234), options=FAST)
    back, decoded, packets = read_clip(tmp_path / "one.mp4")
    assert len(decoded) == 1 and not packets and decoded[0].duration * back.time_base == Fraction(1234, 90000)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_audio_is_copied_untouched(tmp_path: Path, suffix: str) -> None:
    tracks, packets = two_sounds(0.5)
    path, again = tmp_path / f"clip{suffix}", tmp_path / f"again{suffix}"
    write_clip(path, INFO, make_frames(INFO, steady(15)), tracks, packets, options=FAST)
    with open_video(path) as reader:
        read_tracks = reader.tracks
        assert [(t.codec, t.sample_rate, t.layout, t.extradata, t.language) for t in read_tracks] == [
            (t.codec, t.sample_rate, t.layout, t.extradata, t.language) for t in tracks
        ] or suffix == ".mov"  # QuickTime's language codes do not have them all
    info, frames, copied = read_clip(path)
    write_clip(again, info, frames, read_tracks, copied, options=FAST)
    info2, frames2, copied2 = read_clip(again)
    for number in (0, 1):
        assert hashes(packets, number) == hashes(copied, number) == hashes(copied2, number)
    assert times(info, frames) == times(info2, frames2)
    assert [p.pts for p in copied] == [p.pts for p in copied2]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_captions_tags_chapters(tmp_path: Path, suffix: str) -> None:
    info = replace(INFO, duration_us=1_000_000)
    cues = [Caption(0, 400_000, "a <red> & {blue} ball\nsecond line", "en"), Caption(400_000, OPEN_END, "zwölf", "de")]
    write_clip(
        tmp_path / f"clip{suffix}", info, make_frames(info, steady(30)), captions=cues,
        options=FAST if suffix != ".webm" else {},
        tags={"title": "Ball"}, chapters=[Chapter(0, 500_000, "One"), Chapter(500_000, 1_000_000, "Two")],
    )  # fmt: skip
    with open_video(tmp_path / f"clip{suffix}") as reader:
        assert [(c.start_us, c.end_us, c.text, c.language) for c in reader.captions] == [
            (0, 400_000, cues[0].text, "eng"), (400_000, 1_000_000, "zwölf", "deu"),
        ]  # fmt: skip
        assert reader.tags["title"] == "Ball"
        assert [chapter.title for chapter in reader.chapters] == ["One", "Two"]
    with open_video(tmp_path / f"clip{suffix}", start=0.5) as reader:
        assert [(c.start_us, c.text) for c in reader.captions] == [(0, "zwölf")]
        assert [(c.start_us, c.end_us) for c in reader.chapters] == [(0, 500_000)]


@pytest.mark.parametrize("seekable", [True, False])
def test_trimming_keeps_sound_in_step(tmp_path: Path, seekable: bool) -> None:
    tracks, packets = two_sounds(2)
    path = tmp_path / "clip.mkv"
    frames = make_frames(INFO, steady(60))
    write_clip(path, INFO, frames, tracks, packets, codec="ffv1", options={"g": "10"})
    whole_info, whole, sound = read_clip(path)
    source = path if seekable else Pipe(path.read_bytes())
    _, part, cut = read_clip(source, start=0.55, duration=0.7)
    assert times(whole_info, whole)[0] == 0 and sound[0].pts < 0  # the encoder's priming does not move the frames
    assert len(part) == 21 and part[0].pts == 0
    assert all(same_planes(a, b) for a, b in zip(whole[17:38], part, strict=True))
    shift = whole[17].pts
    for number in (0, 1):
        inside = [p for p in sound if p.track == number and shift <= p.pts < 1250]
        assert [(p.pts - shift, p.data) for p in inside] == [(p.pts, p.data) for p in cut if p.track == number]
    assert len(read_clip(path, end=0.5)[1]) == 15
    assert not read_clip(path, audio=False)[2]


def test_a_wrong_seek_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xvcodec.media.decode import Decoder

    write_clip(tmp_path / "clip.mkv", INFO, make_frames(INFO, steady(20)), codec="ffv1")
    honest = Decoder.seek
    monkeypatch.setattr(Decoder, "seek", lambda self, time: honest(self, time + Fraction(1, 5)))
    _, frames, _ = read_clip(tmp_path / "clip.mkv", start=0.2)
    assert len(frames) == 14 and frames[0].pts == 0


def test_pictures_in_and_out(tmp_path: Path) -> None:
    for suffix, tolerance in ((".png", 2), (".jpg", 6)):
        flat = [Frame(n, *(p * 0 + value for p, value in zip(f.planes, (90, 110, 150), strict=True)), 1)
                for n, f in enumerate(make_frames(sized(37, 23), steady(3)))]  # fmt: skip
        write_clip(tmp_path / f"f%03d{suffix}", sized(37, 23), flat)
        assert (tmp_path / f"f003{suffix}").exists() and not list(tmp_path.glob(".*"))
        info, decoded, _ = read_clip(tmp_path / f"f%03d{suffix}")
        assert len(decoded) == 3 and (info.width, info.height) == (37, 23)
        if suffix == ".png":  # read back as BT.709 limited, which is what went in
            assert (info.matrix, info.full_range) == (1, False)
            for a, b in zip(flat, decoded, strict=True):
                assert all(np.abs(p.astype(int) - q).max() <= tolerance for p, q in zip(a.planes, b.planes, strict=True))


def test_demo_clip_is_the_same_but_for_the_encoder(tmp_path: Path) -> None:
    from xvcodec.media import synthesise

    for name in ("a.mp4", "b.mp4"):
        synthesise(tmp_path / name, 0.3, (96, 64), 30)
    info, frames, packets = read_clip(tmp_path / "a.mp4")
    again = read_clip(tmp_path / "b.mp4")
    assert len(frames) == 9 and packets and isinstance(info, VideoInfo)
    for a, b in zip(frames, again[1], strict=True):  # x264 itself varies by a level here and there
        assert float(abs(a.y.astype(int) - b.y).mean()) < 1.0
    assert hashes(packets, 0) == hashes(again[2], 0)
    assert frames[0].y.std() > 15


def test_standard_input_and_output(tmp_path: Path) -> None:
    program = (
        "from xvcodec.media import open_video, open_writer\n"
        "with open_video('-') as reader, open_writer('-', reader.info) as writer:\n"
        "    for frame in reader.frames(): writer.write(frame)\n"
    )
    path = tmp_path / "clip.y4m"
    write_clip(path, sized(37, 23), make_frames(sized(37, 23), steady(4)))
    data = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True, timeout=60)
    assert read_clip(io.BytesIO(done.stdout))[0].width == 37 and done.stdout.count(b"FRAME\n") == 4
    assert done.stdout.split(b"FRAME\n", 1)[1] == data.split(b"FRAME\n", 1)[1]


@pytest.mark.parametrize(("codec", "suffix"), [
    ("libmp3lame", ".mp4"), ("libopus", ".mkv"), ("libopus", ".webm"), ("flac", ".mp4"), ("ac3", ".mp4"), ("alac", ".mov"),
    ("mp2", ".mkv"), ("pcm_s24le", ".mkv"), ("pcm_s16be", ".mov"), ("pcm_f32le", ".mp4"),
])  # fmt: skip
def test_sound_of_many_kinds_is_copied_and_decodes(tmp_path: Path, codec: str, suffix: str) -> None:
    with av.open(str(tmp_path / "source.mkv"), "w") as container:
        picture = container.add_stream("ffv1", rate=30)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=48000)
        sound.layout = "stereo"
        size = sound.codec_context.frame_size or 1024
        samples = av.AudioFrame.from_ndarray(np.repeat(sweep(0.2), 2, 0), "fltp", "stereo")
        samples.sample_rate, samples.pts = 48000, 0
        resampler = av.AudioResampler(sound.codec_context.format, "stereo", 48000, frame_size=size)
        for number in range(6):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(picture.encode(frame))
        for part in resampler.resample(samples) + resampler.resample(None):
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    with open_video(tmp_path / "source.mkv") as reader:
        tracks, info, items = reader.tracks, reader.info, list(reader)
    packets = [item for item in items if not isinstance(item, Frame)]
    target = tmp_path / f"copy{suffix}"
    write_clip(target, info, [item for item in items if isinstance(item, Frame)], tracks, packets)
    assert packets and hashes(packets, 0) == hashes(read_clip(target)[2], 0)
    with av.open(str(target)) as container:  # another program can play it: as long, and as loud
        heard = np.concatenate([f.to_ndarray().astype(float).ravel() for f in container.decode(audio=0)])
        assert container.streams.audio[0].codec_context.sample_rate == 48000
    assert heard.size >= 2 * 9600 and heard.std() > 0
