"""Files of the hivae family: every size and length, streams that are left out, seeds, steps, damage."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hivae_models import TINY, Drawn, clip
from xvc_bitstream import BitstreamError, Reader

import xvcodec
from xvcodec import DecodeOptions, EncodeOptions
from xvcodec.codec import drawing, seams
from xvcodec.codec.chunks import cut
from xvcodec.errors import UsageError, XvcError
from xvcodec.media.types import Frame

WHERE = {"backend": "torch", "device": "cpu"}


def frames(file: bytes, tiny: Path, **more: object) -> list[Frame]:
    """Decoded frames."""
    options = DecodeOptions(**{"model": str(tiny), **WHERE, **more})  # type: ignore[arg-type]
    with xvcodec.open(io.BytesIO(file), options) as video:
        return list(video.frames())


def far(one: list[Frame], other: list[Frame]) -> list[float]:
    """Mean difference of luma, frame by frame."""
    return [float(np.abs(a.y.astype(int) - b.y.astype(int)).mean()) for a, b in zip(one, other, strict=True)]


@pytest.mark.parametrize(("width", "height", "count", "depth"), [
    (32, 16, 1, 8), (17, 9, 2, 8), (33, 31, 3, 8), (16, 16, 4, 10), (2, 2, 10, 8),
])  # fmt: skip
def test_there_and_back(tiny: Path, tmp_path: Path, width: int, height: int, count: int, depth: int) -> None:
    sink = io.BytesIO()
    options = EncodeOptions(model=str(tiny), crf=30.0, psnr=True, verify=False, **WHERE)  # type: ignore[arg-type]
    xvcodec.encode(clip(tmp_path / "in.mkv", width, height, count, depth), sink, options)
    decoded = frames(sink.getvalue(), tiny)
    assert len(decoded) == count and decoded[0].y.shape == (height, width)
    assert decoded[0].y.dtype == (np.uint8 if depth == 8 else np.uint16)
    with xvcodec.open(io.BytesIO(sink.getvalue()), DecodeOptions(model=str(tiny), backend="torch")) as video:
        (integers,) = video.integers()
        assert video.probe()["model"] == TINY.name
    used = cut(count, len(integers["global.vectors"]))
    blocks = (-(-height // 32) * 4, -(-width // 32) * 4)
    assert integers["global.vectors"].shape == (len(used), 3, *blocks)
    assert integers["global.y"].shape == (len(used), 96, *blocks)
    assert integers["detail.vectors"].shape == (len(used), 3, 3, *blocks)
    assert integers["detail.y"].shape == (sum(between > 0 for between in used), 288, *blocks)
    assert xvcodec.verify(io.BytesIO(sink.getvalue()), str(tiny)).ok


@pytest.mark.parametrize(("crf", "tune"), [(0.0, "psnr"), (2.0, "perceptual"), (63.0, "psnr")])
def test_both_tunes_at_the_ends_of_the_range(tiny: Path, tmp_path: Path, crf: float, tune: str) -> None:
    sink = io.BytesIO()
    options = EncodeOptions(model=str(tiny), crf=crf, tune=tune, **WHERE)  # type: ignore[arg-type]
    xvcodec.encode(clip(tmp_path / "in.mkv", 48, 32, 6), sink, options)
    assert len(frames(sink.getvalue(), tiny)) == 6 and xvcodec.verify(io.BytesIO(sink.getvalue()), str(tiny)).ok


def test_only_pictures_beside_a_seam_take_from_the_other_gop(tiny: Path, tmp_path: Path,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.BytesIO()
    options = EncodeOptions(model=str(tiny), crf=50.0, gop=6, **WHERE)  # type: ignore[arg-type]
    xvcodec.encode(clip(tmp_path / "in.mkv", 64, 48, 12), sink, options)
    shown = frames(sink.getvalue(), tiny)
    monkeypatch.setattr(seams, "REACH", 0)
    apart = far(shown, frames(sink.getvalue(), tiny))
    assert [at for at, each in enumerate(apart) if each] == [4, 5, 6, 7]
    assert [frame.pts for frame in shown] == sorted({frame.pts for frame in shown})


def test_a_damaged_gop_has_no_seams(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.BytesIO()
    options = EncodeOptions(model=str(tiny), crf=50.0, gop=4, **WHERE)  # type: ignore[arg-type]
    xvcodec.encode(clip(tmp_path / "in.mkv", 64, 48, 12), sink, options)
    whole, broken = frames(sink.getvalue(), tiny), bytearray(sink.getvalue())
    with Reader.open(io.BytesIO(bytes(broken))) as reader:
        entry = reader.entries[1]
    broken[entry.offset + entry.size // 2] ^= 0xFF
    shown = frames(bytes(broken), tiny, ignore_errors=True)
    monkeypatch.setattr(seams, "REACH", 0)
    apart = frames(sink.getvalue(), tiny)
    assert far(shown[:4] + shown[8:], apart[:4] + apart[8:]) == [0.0] * 8
    assert all(np.array_equal(frame.y, shown[3].y) for frame in shown[4:8])  # the picture before stands in
    assert far(whole, apart)[3] > 0.0


def test_each_stream_carries_its_part(tiny: Path, file: bytes) -> None:
    whole = frames(file, tiny)
    without = frames(file, tiny, drop=("detail",))
    changed = far(whole, without)
    ends = np.cumsum([between + 1 for between in cut(11, 3)])
    assert all(changed[at] == 0.0 for at in (0, *ends, 11))  # key frames and anchors
    assert max(changed) > 0.0
    still = far(whole, frames(file, tiny, drop=("global",)))
    assert still[0] == still[11] == 0.0 and still[10] > 0.0
    assert far(whole, frames(file, tiny, drop=("global.y",)))[10] > 0.0
    assert far(whole, frames(file, tiny, drop=("global", "detail")))[10] > 0.0


def test_a_stream_that_is_not_there(tiny: Path, file: bytes) -> None:
    with pytest.raises(UsageError, match=r"--drop motion: .*key\.y, global\.y, detail\.y, global\.vectors"):
        frames(file, tiny, drop=("motion",))


def test_the_seed_of_the_file_rules_the_noise(tiny: Path, file: bytes, tmp_path: Path, everything_drawn: Drawn) -> None:
    assert far(frames(file, tiny, steps=1), frames(file, tiny, steps=1)) == [0.0] * 12
    assert max(far(frames(file, tiny, steps=1), frames(file, tiny, steps=3))) > 0.0
    sink = io.BytesIO()
    source = clip(tmp_path / "in.mkv", 64, 48, 12)
    with everything_drawn():
        xvcodec.encode(source, sink, EncodeOptions(model=str(tiny), crf=36.0, gop=11, prompt="a square on waves", **WHERE))  # type: ignore[arg-type]
    other = sink.getvalue()
    assert min(far(frames(file, tiny, steps=2), frames(other, tiny, steps=2))) > 0.0
    assert far(frames(file, tiny, steps=0), frames(other, tiny, steps=0)) == [0.0] * 12


def test_the_file_says_how_much_is_drawn(tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                         everything_drawn: Drawn) -> None:
    def coded() -> tuple[bytes, list[int]]:
        """A file, and what its GOPs say."""
        sink = io.BytesIO()
        options = EncodeOptions(model=str(tiny), crf=36.0, gop=11, **WHERE)  # type: ignore[arg-type]
        xvcodec.encode(clip(tmp_path / "in.mkv", 64, 48, 12), sink, options)
        with xvcodec.open(io.BytesIO(sink.getvalue()), DecodeOptions(model=str(tiny), **WHERE)) as video:  # type: ignore[arg-type]
            return sink.getvalue(), [int(gop["drawn"][0]) for gop in video.integers()]

    with everything_drawn():
        all_of_it, told = coded()
    gaps = itertools.count(1)
    monkeypatch.setattr(drawing, "texture_gap", lambda one, other: torch.tensor(1e6 ** next(gaps)))
    none, nothing = coded()
    assert told == [drawing.MOST] * 2 and nothing == [0, 0] and len(none) < len(all_of_it)
    assert far(frames(none, tiny), frames(none, tiny, steps=0)) == [0.0] * 12
    assert min(far(frames(all_of_it, tiny), frames(all_of_it, tiny, steps=0))) > 0.0
    assert far(frames(all_of_it, tiny, drop=("drawn",)), frames(none, tiny)) == [0.0] * 12


def test_a_gop_decodes_alone(tiny: Path, file: bytes) -> None:
    alone = frames(file, tiny, start=11 * 0.04)
    assert len(alone) == 1 and far(alone, frames(file, tiny)[11:]) == [0.0]


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"steps": 65}])
def test_steps_have_limits(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="--steps"):
        DecodeOptions(**wrong)
    with pytest.raises(UsageError, match="--seed"):
        EncodeOptions(seed=1 << 64)


def test_damage_is_an_error_of_ours(tiny: Path, file: bytes) -> None:
    rng = np.random.default_rng(5)
    for _ in range(6):
        broken = bytearray(file)
        at = int(rng.integers(60, len(file)))
        broken[at : at + 4] = rng.bytes(4)
        try:
            frames(bytes(broken), tiny, steps=0)
        except (XvcError, BitstreamError) as error:
            assert str(error)
