"""What remains after a failure: no file, no thread. And while all goes well: no more than a few GOPs in memory."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from codec_clips import INFO, options, steady, texture, y4m
from xvc_bitstream import BitstreamError

import xvcodec
from xvcodec import DecodeOptions, Progress
from xvcodec.codec import decode as decode_module
from xvcodec.codec import encode as encode_module
from xvcodec.codec.check import VerifyResult
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.pipeline import Ahead
from xvcodec.errors import ModelError, OutputError, UsageError, XvcError
from xvcodec.media import Frame

QUICK = DecodeOptions(backend="torch", device="cpu")


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """After each test no thread runs that did not before, and the folder holds no half-made file."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(2.0)
        assert not thread.is_alive(), thread
    assert not [path.name for path in tmp_path.iterdir() if path.name != "kept"]


class Interrupt:
    """A progress report that is interrupted, as by Ctrl-C."""

    def __init__(self, stage: str, frame: int) -> None:
        self.stage, self.frame = stage, frame

    def __call__(self, progress: Progress) -> None:
        if progress.stage == self.stage and progress.frame >= self.frame:
            raise KeyboardInterrupt


class Breaking(io.BytesIO):
    """A file that fails while it is read or written."""

    def __init__(self, data: bytes = b"", after: int = 0) -> None:
        super().__init__(data)
        self.left = after

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.left -= len(data)
        if self.left < 0:
            raise OSError(5, "Input/output error")
        return data

    def write(self, data: Any) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize(("stage", "more"), [("encode", {}), ("encode", {"bpp": 1.0}), ("analyse", {"bpp": 1.0}),
                                             ("encode", {"target_psnr": 25.0})])
def test_an_interrupted_encode(clip: Path, tmp_path: Path, stage: str, more: dict[str, float]) -> None:
    with pytest.raises(KeyboardInterrupt):
        xvcodec.encode(clip, tmp_path / "a.xvc", options(gop=4, **more), Interrupt(stage, 3))


def test_an_interrupt_leaves_the_file_that_was_there(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        xvcodec.encode(clip, tmp_path / "kept", options(gop=4), Interrupt("encode", 3))
    assert (tmp_path / "kept").read_bytes() == b"older"


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.y4m", "f%03d.png"])
def test_an_interrupted_decode(coded: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        xvcodec.decode(coded, tmp_path / name, QUICK, Interrupt("decode", 3))


def test_input_that_is_not_there_or_no_video(tmp_path: Path) -> None:
    for source in (tmp_path / "gone.mp4", b"", b"not a video" * 50, b"YUV4MPEG2 W9 H9\n"):
        with pytest.raises(XvcError):
            xvcodec.encode(io.BytesIO(source) if isinstance(source, bytes) else source, tmp_path / "a.xvc", options())


def test_input_that_breaks_on_the_way(tmp_path: Path) -> None:
    data = y4m(INFO, texture(INFO, steady(12)))
    with pytest.raises((XvcError, OSError)):
        xvcodec.encode(Breaking(data, len(data) // 2), tmp_path / "a.xvc", options(gop=2))


@pytest.mark.parametrize("more", [{}, {"bpp": 1.0}])
def test_output_that_breaks_on_the_way(clip: Path, more: dict[str, float]) -> None:
    with pytest.raises((XvcError, OSError)):
        xvcodec.encode(clip, Breaking(after=1500), options(gop=2, **more))


def test_a_picture_sink_that_breaks(coded: Path) -> None:
    with pytest.raises((XvcError, OSError)):
        xvcodec.decode(coded, Breaking(after=20_000), QUICK)


def test_a_folder_that_is_not_there(clip: Path, coded: Path, tmp_path: Path) -> None:
    with pytest.raises((XvcError, OSError)):
        xvcodec.encode(clip, tmp_path / "no" / "a.xvc", options())
    for name in ("no/a.mp4", "a.txt"):
        with pytest.raises(OutputError):
            xvcodec.decode(coded, tmp_path / name, QUICK)


@pytest.mark.parametrize("more", [{}, {"bpp": 1.0}])
def test_a_model_that_fails(clip: Path, tmp_path: Path, more: dict[str, float],
                            monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(self: CrossmodalCodec, *args: Any) -> Any:
        calls.append(1)
        if len(calls) > 2:
            raise MemoryError("no more")
        return encode(self, *args)

    encode = CrossmodalCodec.encode
    monkeypatch.setattr(CrossmodalCodec, "encode", fail)
    with pytest.raises(MemoryError):
        xvcodec.encode(clip, tmp_path / "a.xvc", options(gop=4, **more))


def test_a_decoder_that_fails(coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: CrossmodalCodec, *args: Any) -> Any:
        yield from rebuild(self, *args)
        raise MemoryError("no more")

    rebuild = CrossmodalCodec.reconstruct
    monkeypatch.setattr(CrossmodalCodec, "reconstruct", fail)
    with pytest.raises(MemoryError):
        xvcodec.decode(coded, tmp_path / "a.mkv", QUICK)


def test_verify_keeps_nothing_that_does_not_decode(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xvcodec.codec.check.verify", lambda *_: VerifyResult(["GOP 0 is bad"]))
    with pytest.raises(OutputError, match=r"does not decode \(GOP 0 is bad\): nothing was kept"):
        xvcodec.encode(clip, tmp_path / "a.xvc", options(verify=True))


def test_wrong_choices_are_told_before_anything_is_written(clip: Path, coded: Path, tmp_path: Path) -> None:
    for wrong in ({"crf": 64.0}, {"crf": 20.0, "bpp": 1.0}, {"bpp": -1.0}, {"bpp": float("nan")}, {"gop": 0},
                  {"preset": "turbo"}, {"tune": "loud"}, {"prompt": "a", "captions": Path("a.vtt")}):
        with pytest.raises(UsageError):
            options(**wrong)
    with pytest.raises(ModelError):
        xvcodec.encode(clip, tmp_path / "a.xvc", options(model="imaginary"))
    for wrong in ({"coder": "zip"}, {"backend": "abacus"}, {"device": "tpu"}, {"text_encoder": "/nowhere"}):
        with pytest.raises((XvcError, BitstreamError)):
            xvcodec.encode(clip, tmp_path / "a.xvc", options(**wrong))
    with pytest.raises(ModelError):
        xvcodec.decode(coded, tmp_path / "a.mkv", replace(QUICK, model="gone-00000000.safetensors"))


def test_a_reader_that_is_dropped_ends_its_threads(coded: Path) -> None:
    with xvcodec.open(coded, QUICK) as video:
        frames = video.frames()
        next(frames)
        frames.close()  # type: ignore[attr-defined]  # a generator


def test_ahead_stops_hands_on_errors_and_keeps_its_depth() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    with Ahead(source(), 3) as ahead:
        assert next(iter(ahead)) == 0
        time.sleep(0.2)
        assert len(made) <= 6
    assert len(made) <= 7

    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("two")

    with Ahead(failing()) as ahead:
        seen = []
        with pytest.raises(ValueError, match="two"):
            for item in ahead:
                seen.append(item)
    assert seen == [1]


class Census:
    """How many of the frames it was shown live, now and at most."""

    def __init__(self) -> None:
        self.living, self.most, self.total = 0, 0, 0

    def count(self, frame: Frame) -> Frame:
        self.living, self.total = self.living + 1, self.total + 1
        self.most = max(self.most, self.living)
        weakref.finalize(frame, self._gone)
        return frame

    def _gone(self) -> None:
        self.living -= 1


@pytest.mark.parametrize("more", [{}, {"bpp": 2.0}, {"psnr": True, "preset": "slow"}], ids=str)
def test_memory_does_not_grow_with_duration(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 120 frames in GOPs of 2, a few GOPs live while encoding (with a target: the sample, too) and decoding."""
    info = replace(INFO, width=32, height=32)
    data = y4m(info, texture(info, steady(120)))
    read, made = Census(), Census()
    plan, to_frames = encode_module.plan, decode_module.to_frames

    def counted(items: Any, *args: Any) -> Any:
        return plan((read.count(item) if isinstance(item, Frame) else item for item in items), *args)

    monkeypatch.setattr(encode_module, "plan", counted)
    monkeypatch.setattr(decode_module, "to_frames", lambda *args: [made.count(frame) for frame in to_frames(*args)])
    gc.disable()  # what only the collector would free counts as living
    try:
        pipe = io.BytesIO(data)
        pipe.seekable = lambda: False  # type: ignore[method-assign]
        sink = io.BytesIO()
        xvcodec.encode(pipe, sink, options(gop=2, crf=None if "bpp" in more else 50.0, **more))
        assert read.total == 120 and read.most <= 2 * 14
        xvcodec.decode(sink, io.BytesIO(), QUICK)
        assert made.total == 120 and made.most <= 2 + 16 + 4  # the writer's queue
    finally:
        gc.enable()
    assert read.living <= 2 and made.living <= 2
