"""Files in, files out: sizes, lengths, times, tags, sound, captions, trims, pipes, random access."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_clips import (
    FAST,
    INFO,
    largest_difference,
    options,
    read_clip,
    same_planes,
    session_on,
    steady,
    texture,
    write_clip,
    y4m,
)
from xvc_bitstream import Caption, Reader, read_captions, write_captions

import xvcodec
from xvcodec import DecodeOptions, EncodeOptions
from xvcodec.codec.planes import to_frames
from xvcodec.codec.trial import Trial
from xvcodec.errors import InputError, UsageError
from xvcodec.media import Frame, VideoInfo, to_rgb
from xvcodec.media.synth import encode_sound, sweep
from xvcodec.models.weights import LoadedModel

QUICK = DecodeOptions(backend="torch", device="cpu")


def frames_of(path: Any, **more: Any) -> list[Frame]:
    """Decoded frames of an .xvc file."""
    with xvcodec.open(path, replace(QUICK, **more)) as video:
        return list(video.frames())


def psnr(a: Sequence[Frame], b: Sequence[Frame], info: VideoInfo) -> float:
    """Mean PSNR-RGB, computed here."""
    errors = [np.mean((to_rgb(x, info).astype(float) - to_rgb(y, info)) ** 2) for x, y in zip(a, b, strict=True)]
    return float(np.mean([10 * np.log10(255**2 / error) for error in errors]))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (17, 31), (33, 1), (97, 61)])
@pytest.mark.parametrize("depth", [8, 10])
def test_any_size(width: int, height: int, depth: int) -> None:
    info = replace(INFO, width=width, height=height, bit_depth=depth)
    source, sink = texture(info, steady(3)), io.BytesIO()
    result = xvcodec.encode(io.BytesIO(y4m(info, source)), sink, options(crf=20.0, psnr=True))
    assert (result.frames, result.width, result.height) == (3, width, height)
    decoded = frames_of(sink)
    assert [f.y.shape for f in decoded] == [(height, width)] * 3
    assert [f.u.shape for f in decoded] == [info.chroma_size] * 3
    assert decoded[0].y.dtype == (np.uint16 if depth == 10 else np.uint8)
    error = np.mean([np.abs(a.y.astype(float) - b.y).mean() for a, b in zip(source, decoded, strict=True)])
    assert error < (40 if depth == 10 else 10)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 33])
def test_any_length(count: int, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", INFO, texture(INFO, steady(count)))
    result = xvcodec.encode(source, tmp_path / "a.xvc", options(verify=True))
    facts = xvcodec.probe(tmp_path / "a.xvc")
    assert result.frames == facts["frames"] == count
    assert [gop["frames"] for gop in facts["gops"]] == [8] * (count // 8) + [count % 8] * (count % 8 > 0)
    assert facts["duration"] == pytest.approx(count / 30, abs=0.002)
    decoded = frames_of(tmp_path / "a.xvc")
    _, before, _ = read_clip(source)
    assert [f.pts for f in decoded] == [f.pts for f in before]
    assert [f.duration for f in decoded] == [f.duration for f in before]
    assert psnr(before, decoded, INFO) > 20


def test_reported_psnr_and_sizes_are_true(clip: Path, tmp_path: Path) -> None:
    result = xvcodec.encode(clip, tmp_path / "a.xvc", options(crf=25.0, psnr=True, verify=True))
    _, source, _ = read_clip(clip)
    assert result.psnr == pytest.approx(psnr(source, frames_of(tmp_path / "a.xvc"), INFO), abs=0.02)
    assert result.total_bytes == (tmp_path / "a.xvc").stat().st_size == result.video_bytes
    assert result.bpp == pytest.approx(8 * result.video_bytes / (64 * 48 * 17))
    better = xvcodec.encode(clip, tmp_path / "b.xvc", options(crf=10.0, psnr=True))
    assert better.psnr > result.psnr and better.total_bytes > result.total_bytes


def test_irregular_times_are_kept_exactly(tmp_path: Path) -> None:
    times = (0, 90, 270, 9000, 9090, 90000, 90180, 180000, 180090, 990000)  # whole milliseconds, as Matroska has
    source = write_clip(tmp_path / "a.mkv", INFO, texture(INFO, times))
    xvcodec.encode(source, tmp_path / "a.xvc", options(gop=4))
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", replace(QUICK, codec="ffv1"))
    info, before, _ = read_clip(source)
    after, got, _ = read_clip(tmp_path / "b.mkv")
    seconds = [pts * Fraction(1, 90000) for pts in times]
    assert [f.pts * info.time_base for f in before] == [f.pts * after.time_base for f in got] == seconds
    with xvcodec.open(tmp_path / "a.xvc", QUICK) as video:
        base = Fraction(*video.probe()["time_base"])
        assert [f.pts * base for f in video.frames()] == seconds


TAGGED = [
    {"primaries": 9, "transfer": 16, "matrix": 9, "bit_depth": 10, "chroma_location": 1},
    {"primaries": 5, "transfer": 6, "matrix": 5, "full_range": True, "rotation": 90},
    {"sar": Fraction(4, 3), "rotation": 270, "frame_rate": Fraction(30000, 1001)},
    {"sar": Fraction(1), "rotation": 180, "full_range": True, "matrix": 6},
]


@pytest.mark.parametrize("tags", TAGGED, ids=str)
def test_tags_go_in_and_come_out(tags: dict[str, Any], tmp_path: Path) -> None:
    info = replace(INFO, **tags)
    lossless = {"codec": "libx264", "options": {"qp": "0"}}  # in Matroska, FFV1 loses the aspect
    source = write_clip(tmp_path / "a.mkv", info, texture(info, steady(3)), **lossless)
    xvcodec.encode(source, tmp_path / "a.xvc", options(crf=20.0))
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", replace(QUICK, codec="libx264", codec_options={"qp": "0"}))
    before, frames, _ = read_clip(source)
    after, decoded, _ = read_clip(tmp_path / "b.mkv")
    same = ("width", "height", "bit_depth", "rotation", "primaries", "transfer", "matrix", "full_range")
    facts = xvcodec.probe(tmp_path / "a.xvc")
    for name in same:
        assert getattr(before, name) == getattr(after, name) == getattr(info, name), name
        assert facts[name] == getattr(info, name)
    assert (before.sar or 1) == (after.sar or 1) == (info.sar or 1) == (Fraction(*facts["sar"]) or 1)
    assert all(same_planes(a, b) for a, b in zip(decoded, frames_of(tmp_path / "a.xvc"), strict=True))
    assert psnr(frames, decoded, info) > 20


COLOURS = [(16, 128, 128), (235, 128, 128), (81, 90, 240), (145, 54, 34), (41, 240, 110), (180, 168, 16)]


@pytest.mark.parametrize(("matrix", "full"), [(1, False), (5, False), (6, True), (9, False), (1, True)])
def test_flat_colours_are_those_of_the_model_alone(matrix: int, full: bool, fast: LoadedModel, tmp_path: Path) -> None:
    """No matrix and no range is ever applied on the way: file and model agree within 2 levels in YUV."""
    info = replace(INFO, width=32, height=32, matrix=matrix, primaries=matrix, full_range=full)
    session = session_on(fast)
    for number, (y, u, v) in enumerate(COLOURS[:: 1 if matrix == 1 else 3]):
        planes = [np.full((side, side), value, np.uint8) for side, value in ((32, y), (16, u), (16, v))]
        flat = [Frame(pts, *planes, 3000) for pts in steady(2)]
        source = write_clip(tmp_path / f"{number}.mkv", info, flat)
        xvcodec.encode(source, tmp_path / "a.xvc", options(crf=16.0))
        xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", replace(QUICK, codec="ffv1"))
        after, decoded, _ = read_clip(tmp_path / "b.mkv")
        trial = Trial(session, flat, info, session.guidance(""))
        alone = to_frames(trial.code(16.0).planes, steady(2), [3000] * 2, 32, 32, 8)
        assert largest_difference(alone, decoded) <= 2
        assert (after.matrix, after.full_range) == (matrix, full)


def test_sound_is_copied_packet_by_packet(tmp_path: Path) -> None:
    first, packets = encode_sound(sweep(0.6), 0, "eng")
    second, others = encode_sound(sweep(0.6)[:, ::-1].copy(), 1, "deu")
    source = write_clip(tmp_path / "a.mkv", INFO, texture(INFO, steady(12)), [first, second], packets + others)
    _, _, before = read_clip(source)
    result = xvcodec.encode(source, tmp_path / "a.xvc", options(gop=4))
    assert result.video_bytes < result.total_bytes
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "b.mkv", QUICK)
    _, frames, after = read_clip(tmp_path / "b.mkv")
    assert len(frames) == 12
    for track in (0, 1):
        one, two = ([(hashlib.sha256(p.data).hexdigest(), p.pts, p.duration) for p in packets if p.track == track]
                    for packets in (before, after))
        assert one == two and len(one) > 20
    facts = xvcodec.probe(tmp_path / "a.xvc")["audio_tracks"]
    assert [(track["codec"], track["language"]) for track in facts] == [("aac", "eng"), ("aac", "deu")]

    xvcodec.encode(source, tmp_path / "c.xvc", options(audio=False))
    assert xvcodec.probe(tmp_path / "c.xvc")["audio_tracks"] == []
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "d.mkv", replace(QUICK, audio=False))
    assert read_clip(tmp_path / "d.mkv")[2] == []


CUES = [Caption(0, 200_000, "a red tram", "en"), Caption(0, 200_000, "eine rote Tram", "de"),
        Caption(250_000, 500_000, "a dog runs through a park", "en")]


def test_caption_files_with_several_languages(clip: Path, tmp_path: Path) -> None:
    write_captions(tmp_path / "in.vtt", CUES[:1] + CUES[2:])
    xvcodec.encode(clip, tmp_path / "a.xvc", options(captions=tmp_path / "in.vtt", language="de"))
    with xvcodec.open(tmp_path / "a.xvc") as video:
        assert [(c.start_us, c.end_us, c.text, c.language) for c in video.captions] == [
            (0, 200_000, "a red tram", "de"), (250_000, 500_000, "a dog runs through a park", "de")]
    before = (tmp_path / "a.xvc").read_bytes()
    xvcodec.set_captions(tmp_path / "a.xvc", CUES, tmp_path / "b.xvc")
    assert xvcodec.verify(tmp_path / "b.xvc").ok and (tmp_path / "a.xvc").read_bytes() == before
    with xvcodec.open(tmp_path / "b.xvc") as video:
        assert video.captions == CUES
    xvcodec.decode(tmp_path / "b.xvc", tmp_path / "b.mkv", QUICK)
    with xvcodec.media.open_video(tmp_path / "b.mkv") as reader:
        assert {cue.text for cue in reader.captions} == {cue.text for cue in CUES}
    result = xvcodec.decode(tmp_path / "b.xvc", tmp_path / "c.y4m", QUICK)
    for name, cues in (("c.en.vtt", CUES[::2]), ("c.de.vtt", CUES[1:2])):
        assert list(read_captions(tmp_path / name)) == cues and any(name in warning for warning in result.warnings)
    (tmp_path / "d.vtt").write_text("mine")
    assert any("d.vtt" in warning for warning in xvcodec.decode(tmp_path / "a.xvc", tmp_path / "d.y4m", QUICK).warnings)
    assert (tmp_path / "d.vtt").read_text() == "mine"


def test_a_language_never_becomes_a_path(clip: Path, tmp_path: Path) -> None:
    xvcodec.encode(clip, tmp_path / "a.xvc", options())
    strange = [Caption(0, 9, "one", "../../x"), Caption(0, 9, "two", "en")]
    xvcodec.set_captions(tmp_path / "a.xvc", strange, tmp_path / "a.xvc")
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "f%02d.png", QUICK)
    assert {path.name for path in tmp_path.glob("*.vtt")} == {"f.0.vtt", "f.en.vtt"}


def test_a_prompt_is_one_cue_over_the_whole_file(coded: Path) -> None:
    (cue,) = xvcodec.probe(coded)["captions"]
    assert cue == {"start": 0.0, "end": None, "text": "waves that drift", "language": "en"}


def test_text_reaches_the_decoder(coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the decoder is told differs with the text; the same words are the same pictures."""
    from xvcodec.codec.guidance import Guidance

    seen: list[str] = []
    call = Guidance.__call__

    def watch(self: Guidance, text: str) -> Any:
        guide = call(self, text)
        seen.append(f"{text}:{guide.text.shape[1] > 0}")
        return guide

    monkeypatch.setattr(Guidance, "__call__", watch)
    stored = frames_of(coded)
    assert seen == ["waves that drift:True"] * 3
    same = frames_of(coded, prompt="waves that drift")
    assert largest_difference(stored, same) == 0
    for options_, told in (({"prompt": "a dog " * 2000}, "True"), ({"prompt": ""}, "False"), ({"text": False}, "False"),
                           ({"text": False, "prompt": "dropped all the same"}, "False"),
                           ({"prompt": "\N{GRINNING FACE} \u202e\x00" + "x" * 5000}, "")):
        seen.clear()
        other = frames_of(coded, **options_)
        assert len(other) == len(stored) and len(seen) == 3
        assert all(text.endswith(told) for text in seen)


def test_each_gop_is_told_its_own_cues(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xvcodec.codec.guidance import Guidance

    told: list[str] = []
    call = Guidance.__call__
    monkeypatch.setattr(Guidance, "__call__", lambda self, text: told.append(text) or call(self, text))
    write_captions(tmp_path / "in.vtt", CUES[:1] + CUES[2:])
    xvcodec.encode(clip, tmp_path / "a.xvc", options(captions=tmp_path / "in.vtt"))
    written, told[:] = [*told], []
    frames_of(tmp_path / "a.xvc")
    assert written == told == ["a red tram. a dog runs through a park", "a dog runs through a park", ""]


@pytest.mark.parametrize("trim", [{"start": 0.2}, {"duration": 0.2}, {"start": 0.1, "end": 0.3},
                                  {"start": 0.1, "duration": 0.2}])
def test_trims(trim: dict[str, float], clip: Path, coded: Path, tmp_path: Path) -> None:
    """Cutting while encoding and cutting while decoding keep the same frames, and time starts at 0."""
    first = round(trim.get("start", 0.0) * 30)
    end = trim.get("end", trim.get("start", 0.0) + trim["duration"] if "duration" in trim else 1.0)
    expected = min(round(end * 30), 17) - first
    result = xvcodec.encode(clip, tmp_path / "a.xvc", options(**trim))
    assert result.frames == expected
    decoded = frames_of(tmp_path / "a.xvc")
    cut = frames_of(coded, **trim)
    whole = frames_of(coded)
    assert len(decoded) == len(cut) == expected
    assert largest_difference(cut, whole[first : first + expected]) == 0
    assert decoded[0].pts == 0 and abs(cut[0].pts - whole[first].pts + round(trim.get("start", 0.0) * 1000)) <= 1
    count = xvcodec.decode(coded, tmp_path / "c.mkv", replace(QUICK, **trim)).frames
    assert count == expected == len(read_clip(tmp_path / "c.mkv")[1])


@pytest.mark.parametrize("wrong", [{"start": 99.0}, {"start": 0.3, "end": 0.2}, {"duration": 1.0, "end": 2.0},
                                   {"duration": 0.0}])
def test_trims_that_leave_nothing(coded: Path, wrong: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises((UsageError, InputError)):
        xvcodec.decode(coded, tmp_path / "a.mkv", replace(QUICK, **wrong))
    assert not list(tmp_path.iterdir())


def test_a_scene_cut_opens_a_gop(tmp_path: Path) -> None:
    dark = texture(INFO, steady(13))
    for frame in dark[7:]:
        frame.y[:] = 250 - frame.y // 3
    source = write_clip(tmp_path / "a.mkv", INFO, dark)
    xvcodec.encode(source, tmp_path / "a.xvc", options(gop=32))
    assert [gop["frames"] for gop in xvcodec.probe(tmp_path / "a.xvc")["gops"]] == [7, 6]


class Pipe(io.RawIOBase):
    """Bytes that come and go but cannot be sought, as a shell's pipe."""

    def __init__(self, data: bytes = b"") -> None:
        self.source, self.taken = io.BytesIO(data), bytearray()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        return self.source.read(size)

    def write(self, data: Any) -> int:
        part = bytes(data)[:1000]  # a pipe may take less than it is given
        self.taken += part
        return len(part)


class Sink:
    """A pipe's writing end as PyAV and y4m see it: everything at once."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def write(self, data: bytes) -> int:
        self.taken += data
        return len(data)

    def flush(self) -> None:
        pass


def test_pipes_in_and_out(clip: Path, tmp_path: Path) -> None:
    info, source, _ = read_clip(clip)
    stream, picture = Pipe(), Sink()
    result = xvcodec.encode(Pipe(y4m(info, source)), stream, options())  # type: ignore[arg-type]
    assert result.frames == 17 and result.total_bytes == len(stream.taken)
    xvcodec.encode(io.BytesIO(y4m(info, source)), tmp_path / "a.xvc", options())
    assert (tmp_path / "a.xvc").read_bytes() == bytes(stream.taken)
    done = xvcodec.decode(Pipe(bytes(stream.taken)), picture, QUICK)  # type: ignore[arg-type]
    assert done.frames == 17
    _, decoded, _ = read_clip(io.BytesIO(bytes(picture.taken)))
    assert largest_difference(decoded, frames_of(tmp_path / "a.xvc")) == 0


def test_every_gop_decodes_alone(coded: Path) -> None:
    whole = frames_of(coded)
    starts = [entry["start_pts"] for entry in xvcodec.probe(coded)["gops"]]
    assert len(starts) == 3
    with Reader.open(coded) as reader:
        base = Fraction(*reader.header.time_base)
        for number, start in enumerate(starts):
            part = frames_of(coded, start=float(start * base))
            assert largest_difference(part, [frame for frame in whole if frame.pts >= start]) == 0, number


def test_the_same_clip_gives_the_same_bytes(clip: Path, coded: Path, tmp_path: Path) -> None:
    xvcodec.encode(clip, tmp_path / "a.xvc", options(prompt="waves that drift"))
    assert (tmp_path / "a.xvc").read_bytes() == coded.read_bytes()


def test_the_default_model_codes_a_photograph(tmp_path: Path) -> None:
    source = texture(INFO, steady(1))
    wanted = EncodeOptions(crf=12.0, backend="torch", device="cpu")
    xvcodec.encode(io.BytesIO(y4m(INFO, source)), tmp_path / "a.xvc", wanted)
    assert xvcodec.probe(tmp_path / "a.xvc")["model"] == "crossmodal"
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "a.png", QUICK)
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert psnr(source, frames_of(tmp_path / "a.xvc"), INFO) > 24


def test_the_fast_preset_is_the_fast_model() -> None:
    assert EncodeOptions(preset="fast").model_name == "crossmodal-fast"
    assert EncodeOptions(preset="fast", model="a.safetensors").model_name == "a.safetensors"
    assert FAST["model"] == "crossmodal-fast"
