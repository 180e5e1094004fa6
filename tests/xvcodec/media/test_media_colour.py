"""Colours keep their meaning: tags, ranges, conversions of every kind of source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import make_frames, read_clip, same_planes, sized, steady, write_clip

from xvcodec.media import from_rgb, open_video, to_rgb

PURE = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 30, 90)]
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}


def flat(colour: tuple[int, int, int], height: int = 16, width: int = 16) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", sorted(LUMA))
@pytest.mark.parametrize(("depth", "size"), [(8, (16, 16)), (10, (16, 16)), (8, (5, 3)), (8, (1, 1))])
def test_pure_colours(matrix: int, full: bool, depth: int, size: tuple[int, int]) -> None:
    kr, kb = LUMA[matrix]
    info = sized(*size, matrix=matrix, full_range=full, bit_depth=depth)
    unit = 1 << (depth - 8)
    for colour in PURE:
        frame = from_rgb(flat(colour, size[1], size[0]), info)
        r, g, b = (c / 255 for c in colour)
        luma = kr * r + (1 - kr - kb) * g + kb * b
        cb, cr = (b - luma) / 2 / (1 - kb), (r - luma) / 2 / (1 - kr)
        top = (1 << depth) - 1
        want = [luma * top, cb * top + 128 * unit, cr * top + 128 * unit] if full else [
            (16 + 219 * luma) * unit, (128 + 224 * cb) * unit, (128 + 224 * cr) * unit]  # fmt: skip
        for plane, value in zip(frame.planes, want, strict=True):
            assert np.abs(plane.astype(float) - min(value, top)).max() <= 1.01 * unit
        assert np.abs(to_rgb(frame, info).astype(int) - colour).max() <= 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(("matrix", "full"), [(1, False), (1, True), (5, True), (6, False), (9, False)])
def test_tags_and_pure_colours_through_a_file(tmp_path: Path, suffix: str, matrix: int, full: bool) -> None:
    info = sized(32, 32, matrix=matrix, primaries=matrix, transfer=1 if matrix != 9 else 14, full_range=full)
    frames = [from_rgb(flat(c, 32, 32), info, 3000 * n, 3000) for n, c in enumerate(PURE)]
    path = tmp_path / f"clip{suffix}"
    fast = {"preset": "ultrafast", "crf": "4", "g": "1"} if suffix != ".webm" else {"crf": "4", "b": "0", "g": "1"}
    write_clip(path, info, frames, options=fast)
    back, decoded, _ = read_clip(path)
    if suffix != ".webm" or matrix != 6:  # VP9 knows fewer code points; 5 and 6 are the same matrix
        assert (back.primaries, back.transfer, back.matrix) == (info.primaries, info.transfer, info.matrix)
    assert back.full_range == full
    for colour, frame in zip(PURE, decoded, strict=True):
        assert np.abs(np.median(to_rgb(frame, back), (0, 1)) - colour).max() <= 2


def write_raw(path: Path, pixels: np.ndarray, pixel_format: str, codec: str = "ffv1", full: int = 0) -> None:
    """A two-frame file of one pixel format, as other programs write it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = pixels.shape[1], pixels.shape[0], pixel_format
        stream.codec_context.color_range = full
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if pixel_format != "rgb24":
                frame = frame.reformat(
                    format=pixel_format, dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range=full or 1,
                    threads=1,  # with more, swscale now and then leaves a row of tiny deep pictures unwritten
                )
            if not pixel_format.startswith(("rgb", "bgr", "gbr", "pal", "0rgb")):
                frame.colorspace, frame.color_range = 1, full or 1
                stream.codec_context.colorspace = 1
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("pixel_format", [
    "yuv422p", "yuv444p", "yuv411p", "yuva420p", "yuva444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv444p16le",
    "bgra", "bgr0", "gbrp10le", "gbrp16le", "rgb48le",
])  # fmt: skip
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 200, 40), (90, 90, 90)])
def test_every_source_format_keeps_its_colour(tmp_path: Path, pixel_format: str, colour: tuple[int, int, int]) -> None:
    path = tmp_path / "clip.mkv"
    write_raw(path, flat(colour, 18, 34), pixel_format)
    with open_video(path) as reader:
        info, frames = reader.info, list(reader.frames())
        assert len(frames) == 2 and (info.width, info.height) == (34, 18)
        assert ("transparency is not kept" in reader.warnings) == pixel_format.startswith(("yuva", "bgra"))
    assert info.bit_depth == (8 if pixel_format[-2:] not in ("le",) else 10)
    assert info.matrix == 1 and not info.full_range
    assert np.abs(to_rgb(frames[0], info).astype(int) - colour).max() <= 3


@pytest.mark.parametrize("pixel_format", ["gray", "gray10le", "gray16le"])
def test_grey(tmp_path: Path, pixel_format: str) -> None:
    write_raw(tmp_path / "clip.mkv", flat((77, 77, 77)), pixel_format, full=2)
    info, frames, _ = read_clip(tmp_path / "clip.mkv")
    assert info.full_range and info.bit_depth == (8 if pixel_format == "gray" else 10)
    assert np.abs(to_rgb(frames[0], info).astype(int) - 77).max() <= 2


def test_full_range_jpeg_stays_full(tmp_path: Path) -> None:
    for pixel_format in ("yuvj420p", "yuvj422p", "yuvj444p"):
        write_raw(tmp_path / "clip.avi", flat((255, 255, 255)), pixel_format, "mjpeg", 2)
        info, frames, _ = read_clip(tmp_path / "clip.avi")
        assert info.full_range and frames[0].y.min() >= 253


def test_gif_becomes_bt709_limited(tmp_path: Path) -> None:
    write_raw(tmp_path / "clip.gif", flat((0, 255, 0)), "rgb8", "gif")
    info, frames, _ = read_clip(tmp_path / "clip.gif")
    assert (info.matrix, info.primaries, info.transfer, info.full_range) == (1, 1, 1, False)
    assert len(frames) == 2 and abs(int(frames[0].y[4, 4]) - 173) <= 2


def test_420_sources_are_bit_exact(tmp_path: Path) -> None:
    for depth in (8, 10):
        info = sized(34, 18, bit_depth=depth, matrix=2, primaries=2, transfer=2)
        frames = make_frames(info, steady(2))
        write_clip(tmp_path / "clip.mkv", info, frames, codec="ffv1")
        back, decoded, _ = read_clip(tmp_path / "clip.mkv")
        assert (back.matrix, back.primaries, back.transfer) == (2, 2, 2)
        assert all(same_planes(a, b) for a, b in zip(frames, decoded, strict=True))
