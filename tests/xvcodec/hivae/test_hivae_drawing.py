"""What files say about drawing: hints there and back, what they change, and what they may not be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hivae_models import TINY
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

import xvcodec
from xvcodec import DecodeOptions
from xvcodec.codec.drawing import QUARTERS, Drawing, choose, decode_drawing, nothing, said
from xvcodec.codec.family import Guide, PassStream, Planes
from xvcodec.codec.painting import blend, paint, sketch, without_pattern
from xvcodec.codec.quality_maps import LIMIT
from xvcodec.models.hints import HINTED
from xvcodec.models.painter import SIDE
from xvcodec.models.weights import load_model
from xvcodec.runtime.torch_runtime import TorchRuntime

Ints = NDArray[np.int32]
NO_TEXT = Guide(torch.zeros(1, 0, TINY.text), torch.zeros(1, 0), seed=5)


class Streams:
    """What reads streams as they were said."""

    def __init__(self, streams: list[PassStream]) -> None:
        self.streams = {stream.name: stream for stream in streams}

    def rows(self, name: str) -> int:
        return self.streams[name].shape[0] if name in self.streams else 0

    @contextmanager
    def passes(self, name: str, shape: tuple[int, ...], tables: object = None) -> Iterator[object]:
        stream = self.streams[name]
        assert stream.shape == shape
        left = iter(stream.passes)

        def read(wanted: NDArray[np.uint8]) -> Ints:
            symbols, named = next(left)
            assert np.array_equal(named, wanted)  # what chooses tables is known to a decoder by then
            return symbols

        yield read
        assert next(left, None) is None


@given(arrays(np.int32, st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)),
              elements=st.integers(-LIMIT, LIMIT)), st.integers(0, QUARTERS))
def test_what_is_said_comes_back(hints: Ints, quarters: int) -> None:
    streams = said(Drawing(np.array([quarters], np.int32), hints))
    found = decode_drawing(len(hints), hints.shape[1] * HINTED, hints.shape[2] * HINTED, Streams(streams))  # type: ignore[arg-type]
    assert found.share == quarters / QUARTERS and bool(streams) == bool(quarters)
    assert np.array_equal(found.hints, hints if quarters else np.zeros_like(hints))


@pytest.mark.parametrize(("quarters", "hint"), [(QUARTERS + 1, 0), (-1, 0), (1, LIMIT + 1), (1, -LIMIT - 1)])
def test_what_cannot_be_is_refused(quarters: int, hint: int) -> None:
    streams = said(Drawing(np.array([quarters], np.int32), np.full((2, 1, 1), hint, np.int32)))
    with pytest.raises(DamagedError, match="the file is damaged"):
        decode_drawing(2, HINTED, HINTED, Streams(streams))  # type: ignore[arg-type]


def painters(tiny: Path) -> tuple[TorchRuntime, Planes, Planes]:
    """The tiny model, five pictures, and the same without their detail."""
    random = torch.Generator().manual_seed(2)
    truth = Planes(torch.rand(5, 1, 64, 96, generator=random) - 0.5, torch.rand(5, 2, 32, 48, generator=random) * 0.1)
    soft = torch.nn.functional.avg_pool2d(truth.luma, 5, 1, 2)
    return TorchRuntime(load_model(str(tiny)).module, "cpu", "float32"), truth, Planes(soft, truth.chroma)


@torch.inference_mode()
def test_hints_follow_what_is_lost_and_change_what_is_drawn(tiny: Path) -> None:
    runtime, truth, decoded = painters(tiny)
    there = choose(runtime, truth, decoded, 50.0, NO_TEXT)
    assert there.hints.shape == (TINY.hints, 4, 6) and there.hints.any() and abs(there.hints).max() <= LIMIT
    assert not np.array_equal(there.hints, choose(runtime, truth, truth, 50.0, NO_TEXT).hints)
    none = nothing(TINY.hints, 64, 96)
    one, other = (paint(runtime, decoded, 50.0, NO_TEXT, 1.0, hints) for hints in (there.hints, none.hints))
    assert (one.luma - other.luma).abs().amax() > 1e-3
    still = [paint(runtime, decoded, 50.0, NO_TEXT, 0.0, hints) for hints in (there.hints, none.hints)]
    assert torch.equal(still[0].luma, still[1].luma)


@torch.inference_mode()
def test_a_picture_is_painted_as_it_was_looked_at(tiny: Path) -> None:
    runtime, truth, decoded = painters(tiny)
    hints = choose(runtime, truth, decoded, 50.0, NO_TEXT).hints
    picture = Planes(decoded.luma[:1], decoded.chroma[:1])
    half = blend(sketch(runtime, picture, 50.0, NO_TEXT, hints), 0.5)
    painted = paint(runtime, decoded, 50.0, NO_TEXT, 0.5, hints)
    assert torch.equal(half.luma, painted.luma[:1]) and torch.equal(half.chroma, painted.chroma[:1])


def test_what_repeats_from_tile_to_tile_is_no_detail() -> None:
    random = torch.Generator().manual_seed(3)
    tile, noise = torch.randn(1, 6, SIDE, SIDE, generator=random), torch.randn(1, 6, 64, 96, generator=random)
    assert without_pattern(tile.repeat(1, 1, 8, 12)).abs().max() < 1e-5
    assert 0.9 < float(without_pattern(noise + tile.repeat(1, 1, 8, 12)).square().mean()) < 1.0  # a share of noise goes, too


def test_hints_can_be_left_out(tiny: Path, file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "in.xvc"
    path.write_bytes(file)

    def lumas(**options: object) -> list[NDArray[np.uint8]]:
        given = DecodeOptions(model=str(tiny), backend="torch", device="cpu", **options)  # type: ignore[arg-type]
        with xvcodec.open(path, given) as video:
            return [frame.y for frame in video.frames()]

    whole, without = lumas(), lumas(drop=("hints",))
    assert any(not np.array_equal(a, b) for a, b in zip(whole, without, strict=True))
    means = lumas(steps=0), lumas(steps=0, drop=("hints",))
    assert all(np.array_equal(a, b) for a, b in zip(*means, strict=True))
