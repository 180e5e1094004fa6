"""Codecs: what people write, what is refused, and that the files are what they claim to be."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import av
import numpy as np
import pytest
from small_clips import still, video

from xvcodec.errors import OutputError, UsageError, XvcError
from xvcodec.media.encoder import resolve_options
from xvcodec.rd.clips import find
from xvcodec.rd.codec_ffmpeg import FfmpegCodec
from xvcodec.rd.codecs import Conditions, parse, parse_all, split


def test_a_specification_is_name_options_and_settings() -> None:
    assert split(r"libx265:preset=slow:x265-params=a=1\:b=2:crf=30,20") == (
        "libx265", {"preset": "slow", "x265-params": "a=1:b=2"}, (20.0, 30.0))
    codec = parse(r"libx265:preset=fast:crf=30:x265-params=ref=1\:bframes=0")
    assert codec.name == r"libx265:preset=fast:x265-params=ref=1\:bframes=0"
    assert parse(codec.name).name == codec.name
    assert codec.fixed == (30.0,)


@pytest.mark.parametrize(("spec", "why"), [
    ("", "names no codec"), ("nothing", "no video encoder"), ("aac", "no video encoder"), ("libx264:preset", "key=value"),
    ("libx264:nope=1", "no option 'nope'"), ("libx264:g=5", "set by the study"), ("libx264:crf=a", "list of numbers"),
    ("libx264:tune=psnr:tune=ssim", "twice"), ("ffv1", "no constant quality"), ("crossmodal:preset=best", "fast"),
    ("crossmodal:text=loud", "own"), ("crossmodal:depth=3", "no option 'depth'"), ("gone.safetensors", "gone"),
])
def test_what_there_is_not_is_one_sentence(spec: str, why: str) -> None:
    with pytest.raises(XvcError, match=why):
        parse(spec)


def test_a_codec_is_given_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_all(["libx264:crf=20", "libx264:crf=30"])
    with pytest.raises(UsageError, match="--codec"):
        parse_all([])


@pytest.mark.parametrize(("spec", "setting"), [
    ("libx264:preset=ultrafast", 30), ("libx265:preset=ultrafast", 30), ("libsvtav1:preset=12", 50),
    ("libvpx-vp9:deadline=realtime:cpu-used=8", 40), ("mpeg4", 6), ("crossmodal-fast", 40),
])
def test_files_hold_the_frames_with_the_key_frames_asked_for(tmp_path: Path, spec: str, setting: float) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 10)], frames=9)
    codec, conditions = parse(spec), Conditions(gop=4)
    codec.check(clip, conditions)
    target = tmp_path / f"out{codec.suffix(clip)}"
    codec.encode(clip, setting, target, conditions)
    decoded = list(codec.decode(target, clip))
    assert len(decoded) == 9
    assert np.mean([np.abs(a.y.astype(int) - b.y).mean() for a, b in zip(clip.read(), decoded, strict=True)]) < 12
    coded = codec.inspect(target, conditions)
    assert coded.bytes == target.stat().st_size
    assert 0 <= coded.overhead < 1200
    with pytest.raises(XvcError, match="-g is 3"):
        codec.inspect(target, Conditions(gop=3))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("spec", [
    "libx264", "libx264:x264-params=open-gop=1", "libx265", "libx265:x265-params=open-gop=0", "libsvtav1:preset=10",
    "libvpx-vp9:cpu-used=8", "mpeg4"])
def test_every_encoder_keeps_the_same_key_frames(tmp_path: Path, spec: str) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 40)])
    codec = parse(spec)
    target = tmp_path / f"out{codec.suffix(clip)}"
    codec.encode(clip, codec.scale().high, target, Conditions(gop=16))
    codec.inspect(target, Conditions(gop=16))
    with av.open(str(target)) as container:
        assert [number for number, frame in enumerate(container.decode(video=0)) if frame.key_frame] == [0, 16, 32]


@pytest.mark.parametrize("spec", ["libx264", "libx265", "libsvtav1:preset=12", "libvpx-vp9:cpu-used=8",
                                  "libvpx:cpu-used=8:deadline=realtime", "mpeg4", "mjpeg"])
def test_the_setting_is_heard(tmp_path: Path, spec: str) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 4)])
    codec, sizes = parse(spec), []
    for setting in (codec.scale().high, codec.scale().low):
        target = tmp_path / f"{setting}{codec.suffix(clip)}"
        codec.encode(clip, setting, target, Conditions())
        sizes.append(target.stat().st_size)
    assert sizes[0] > 1.3 * sizes[1]


def test_x264_says_nothing_about_itself(tmp_path: Path) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 4)])
    params = r"x264-params=nal-hrd=vbr\:vbv-maxrate=900\:vbv-bufsize=900"
    for spec in ("libx264", f"libx264:preset=ultrafast:{params}"):
        target = tmp_path / "out.h264"
        parse(spec).encode(clip, 30, target, Conditions())
        assert b"x264" not in target.read_bytes()
        assert len(list(parse(spec).decode(target, clip))) == 4
        assert parse(spec).inspect(target, Conditions()).overhead == 0


def test_encoders_get_no_options_of_ours() -> None:
    for spec, ours in (("libvpx-vp9", {"b": "0"}), ("libsvtav1", {}), ("libx264:preset=slow", {"preset": "slow"})):
        codec = parse(spec)
        assert isinstance(codec, FfmpegCodec)
        assert codec._settings(30, Conditions()) == {"g": "32", "threads": "1", "crf": "30"} | ours
        found = resolve_options(av.Codec(spec.partition(":")[0], "w"), codec._settings(30, Conditions()), {})
        assert found == codec._settings(30, Conditions())


def test_an_encoder_that_is_there_but_has_no_hardware(tmp_path: Path) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 2, (320, 240))])
    try:
        parse("av1_nvenc:preset=p4").check(clip, Conditions())
    except XvcError as error:
        assert re.search("NVIDIA GPU|no video encoder", str(error))


@pytest.mark.parametrize("spec", ["libx264", "libx265", "libsvtav1:preset=12", "libvpx-vp9", "libwebp", "mjpeg",
                                  "crossmodal-fast"])
def test_a_picture_is_a_file_with_hardly_any_container(tmp_path: Path, spec: str) -> None:
    (clip,) = find([still(tmp_path / "still.png")])
    codec, conditions = parse(spec), Conditions()
    codec.check(clip, conditions)
    target = tmp_path / f"out{codec.suffix(clip)}"
    codec.encode(clip, codec.scale().high, target, conditions)
    assert len(list(codec.decode(target, clip))) == 1
    assert codec.inspect(target, conditions).overhead < 400


@pytest.mark.parametrize("spec", ["libx264:preset=ultrafast", "libvpx-vp9:deadline=realtime"])
def test_odd_sizes_are_padded_and_cropped(tmp_path: Path, spec: str) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 3, (95, 63))])
    codec = parse(spec)
    codec.encode(clip, 20, tmp_path / "out", Conditions())
    for source, decoded in zip(clip.read(), codec.decode(tmp_path / "out", clip), strict=True):
        assert [plane.shape for plane in decoded.planes] == [plane.shape for plane in source.planes]
        assert np.abs(source.y.astype(int) - decoded.y).mean() < 4


def test_ten_bits_stay_ten_bits_or_are_refused(tmp_path: Path) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 2, depth=10)])
    codec = parse("libx265:preset=ultrafast")
    codec.encode(clip, 20, tmp_path / "out.hevc", Conditions())
    assert next(codec.decode(tmp_path / "out.hevc", clip)).y.dtype == np.uint16
    with pytest.raises(OutputError, match=r"'clip'.*10-bit"):
        parse("libvpx-vp9").check(clip, Conditions())


def test_videos_are_not_for_codecs_of_pictures(tmp_path: Path) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 2)])
    with pytest.raises(UsageError, match="pictures only"):
        parse("libwebp").check(clip, Conditions())


def test_a_failed_encode_leaves_nothing(tmp_path: Path) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 2)])
    with pytest.raises(OutputError):
        parse("libx264").encode(clip, 20, tmp_path / "gone" / "out.mkv", Conditions())
    (tmp_path / "clip.mkv").write_bytes(b"")
    for spec in ("libx264", "crossmodal-fast"):
        with pytest.raises(XvcError):
            parse(spec).encode(clip, 20, tmp_path / "out", Conditions())
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


def test_captions_and_weights_belong_to_the_identity(tmp_path: Path) -> None:
    (clip,) = find([video(tmp_path / "clip.mkv", 2)])
    from dataclasses import replace

    clip = replace(clip, caption="a bee", other="an ant")
    for text, prompt in (("own", "a bee"), ("none", ""), ("other", "an ant")):
        assert parse(f"crossmodal-fast:text={text}").identity(clip, 40, Conditions())["prompt"] == prompt
    codec = parse("crossmodal-fast")
    assert "weights" in codec.version
    assert parse("crossmodal:preset=fast").version == codec.version != parse("crossmodal").version
    assert b"crossmodal-fast" in pickle.dumps(codec), "it is sent to worker processes"
