"""onedva through files: prefixes, truncation, cut files, odd sizes, one frame, damage."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onedva_models import clip, weights
from xvc_bitstream import BitstreamError, Reader, pieces
from xvc_bitstream import UsageError as BitstreamUsageError

import xvcodec
from xvcodec.errors import UsageError, XvcError

TORCH = {"backend": "torch", "device": "cpu"}


def frames(path: Path, model: Path, **options: object) -> list[NDArray[np.uint8]]:
    given = xvcodec.DecodeOptions(model=str(model), backend="torch", device="cpu", **options)  # type: ignore[arg-type]
    with xvcodec.open(path, given) as video:
        return [frame.y for frame in video.frames()]


def error(path: Path, model: Path, truth: list[NDArray[np.uint8]], **options: object) -> float:
    made = frames(path, model, **options)
    assert len(made) == len(truth)
    return float(np.mean([(a.astype(float) - b) ** 2 for a, b in zip(made, truth, strict=True)]))


@pytest.fixture(scope="module")
def truth(source: Path) -> list[NDArray[np.uint8]]:
    from xvcodec.media import open_video
    from xvcodec.media.types import Frame

    with open_video(source) as reader:
        return [item.y for item in reader if isinstance(item, Frame)]


def test_more_tokens_are_never_worse(coded: Path, tiny: Path, truth: list[NDArray[np.uint8]]) -> None:
    with Reader.open(coded) as reader:
        most = max(stream.shape[0] for gop in reader.gops() for stream in gop.streams if stream.name == "tokens")
    errors = [error(coded, tiny, truth, tokens=max(1, most * part // 3)) for part in range(4)]
    assert errors[-1] < 12.0 and errors[-1] < errors[0] / 4
    assert all(later <= earlier * 1.02 for earlier, later in pairwise(errors))


def test_truncating_is_decoding_fewer_tokens(coded: Path, tiny: Path, tmp_path: Path) -> None:
    size = coded.stat().st_size
    small = tmp_path / "small.xvc"
    xvcodec.truncate(coded, small, size=size * 2 // 3)
    assert small.stat().st_size <= size * 2 // 3
    assert xvcodec.verify(small, str(tiny)).ok
    with Reader.open(small) as reader:
        counts = [len(pieces.pieces_of(gop)) for gop in reader.gops()]
    with Reader.open(coded) as reader:
        gops = [pieces.keep(gop, count) for gop, count in zip(reader.gops(), counts, strict=True)]
    with Reader.open(small) as reader:
        assert list(reader.gops()) == gops
    assert len(frames(small, tiny)) == 9
    with pytest.raises(BitstreamUsageError, match="coarsest"):
        xvcodec.truncate(coded, tmp_path / "none.xvc", size=200)


def test_a_file_cut_anywhere_in_its_last_gop_decodes(coded: Path, tiny: Path, tmp_path: Path) -> None:
    data = coded.read_bytes()
    with Reader.open(coded) as reader:
        last = reader.entries[1]
    counts = []
    for part in (0.2, 0.95):
        cut = tmp_path / f"{part}.xvc"
        cut.write_bytes(data[: last.offset + int(last.size * part)])
        counts.append(len(frames(cut, tiny)))
    assert counts[-1] == 9 and set(counts) <= {6, 9}


@pytest.mark.parametrize(("width", "height", "count"), [(33, 17, 1), (8, 8, 2), (64, 32, 5)])
def test_sizes(width: int, height: int, count: int, tiny: Path, tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", width, height, count)
    result = xvcodec.encode(source, tmp_path / "out.xvc",
                            xvcodec.EncodeOptions(model=str(tiny), crf=20.0, psnr=True, **TORCH))  # type: ignore[arg-type]
    made = frames(tmp_path / "out.xvc", tiny)
    assert len(made) == count and made[0].shape == (height, width)
    assert result.psnr is not None and result.psnr > 28.0


def test_tokens_fix_the_length(source: Path, tiny: Path, tmp_path: Path) -> None:
    options = xvcodec.EncodeOptions(model=str(tiny), tokens=60, gop=6, **TORCH)  # type: ignore[arg-type]
    xvcodec.encode(source, tmp_path / "few.xvc", options)
    with Reader.open(tmp_path / "few.xvc") as reader:
        assert all(sum(piece.tokens for piece in pieces.pieces_of(gop)) <= 60 for gop in reader.gops())
    with pytest.raises(UsageError, match="exclude"):
        replace(options, crf=20.0)
    with pytest.raises(UsageError, match="that write tokens"):
        xvcodec.encode(source, tmp_path / "not.xvc", xvcodec.EncodeOptions(tokens=60, **TORCH))  # type: ignore[arg-type]


def test_motion_can_be_dropped_but_not_all_tokens(coded: Path, tiny: Path) -> None:
    whole, still = frames(coded, tiny), frames(coded, tiny, drop=("fields",))
    assert len(still) == len(whole) and np.array_equal(still[0], whole[0]) and not np.array_equal(still[4], whole[4])
    with pytest.raises(UsageError, match="use --tokens N"):
        frames(coded, tiny, drop=("tokens",))


def test_a_still_clip_takes_few_tokens(tiny: Path, tmp_path: Path, source: Path) -> None:
    still = clip(tmp_path / "still.mkv", 71, 45, 9, still=True)
    sizes = []
    for path in (still, source):
        options = xvcodec.EncodeOptions(model=str(tiny), crf=20.0, **TORCH)  # type: ignore[arg-type]
        sizes.append(xvcodec.encode(path, tmp_path / "out.xvc", options).video_bytes)
    assert sizes[0] < sizes[1]


def test_what_is_drawn_follows_the_seed_and_the_mean_does_not(source: Path, tmp_path: Path) -> None:
    model = weights(tmp_path, plain=False)
    xvcodec.encode(source, tmp_path / "out.xvc", xvcodec.EncodeOptions(model=str(model), crf=20.0, **TORCH))  # type: ignore[arg-type]

    def same(one: tuple[int | None, int], other: tuple[int | None, int]) -> bool:
        made = (frames(tmp_path / "out.xvc", model, steps=steps, seed=seed) for steps, seed in (one, other))
        return all(np.array_equal(a, b) for a, b in zip(*made, strict=True))

    assert same((1, 5), (1, 5)) and same((None, 5), (1, 5)) and same((0, 5), (0, 6))
    assert not same((1, 5), (1, 6)) and not same((1, 5), (2, 5)) and not same((0, 5), (1, 5))


def test_slow_meets_the_error_by_decoding(source: Path, tiny: Path, tmp_path: Path) -> None:
    options = xvcodec.EncodeOptions(model=str(tiny), crf=24.0, preset="slow", psnr=True, **TORCH)  # type: ignore[arg-type]
    result = xvcodec.encode(source, tmp_path / "slow.xvc", options)
    assert result.psnr is not None and result.psnr > 34.0


def test_damage_is_one_sentence(coded: Path, tiny: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    data = bytearray(coded.read_bytes())
    with Reader.open(coded) as reader:
        gop = reader.gop(0)
    for _ in range(6):
        broken = []
        for stream in gop.streams:
            payload = bytearray(stream.payload)
            payload[int(random.integers(len(payload)))] ^= 1 << int(random.integers(8))
            broken.append(replace(stream, payload=bytes(payload)))
        target = tmp_path / "broken.xvc"
        with Reader.open(coded) as reader, target.open("wb") as sink:
            from xvc_bitstream import Writer

            with Writer(sink, reader.header) as writer:
                writer.gop(replace(gop, streams=tuple(broken)))
        try:
            frames(target, tiny)
        except (XvcError, BitstreamError) as failure:
            assert "\n" not in str(failure)
    assert bytes(data) == coded.read_bytes()
