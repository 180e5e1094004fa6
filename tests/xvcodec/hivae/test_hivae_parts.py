"""Parts of the hivae codec: the pyramid, straight paths, fields one at a time, noise, and what an untrained painter does."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.family import PassStream, Planes
from xvcodec.codec.field_contexts import FieldContexts, Ints
from xvcodec.codec.hivae_chunks import LOOKED_AT, best_chunk
from xvcodec.codec.hivae_motion import Paths
from xvcodec.codec.noise import noise
from xvcodec.codec.pyramid import CHUNKS, anchors_of, chunk_of, details_of
from xvcodec.codec.vectors import Field, Passes, reading, walk, writing
from xvcodec.families import family
from xvcodec.models.painter import Painter, PainterConfig, quarters, wholes


@given(st.integers(1, 70), st.sampled_from(CHUNKS))
def test_every_frame_comes_once_and_after_those_it_needs(frames: int, chunk: int) -> None:
    known = {0}
    for node in (*anchors_of(frames, chunk), *details_of(frames, chunk)):
        assert node.before in known and (node.after is None or node.after in known) and node.frame not in known
        assert node.level <= chunk.bit_length() - 1 and (node.after is None) == (node.level == 0)
        known.add(node.frame)
    assert known == set(range(frames))


@given(st.integers(1, 300), st.sampled_from(CHUNKS))
def test_number_of_anchors_tells_the_pyramid(frames: int, chunk: int) -> None:
    found = chunk_of(frames, len(anchors_of(frames, chunk)))
    assert anchors_of(frames, found) == anchors_of(frames, chunk) and details_of(frames, found) == details_of(frames, chunk)
    with pytest.raises(ValueError, match="anchors"):
        chunk_of(frames, frames)


@pytest.mark.parametrize(("lasts", "spends", "best"), [(8.0, 2.0, 2), (0.0, 2.0, 4), (8.0, 1e6, 4)])
def test_anchors_are_near_where_quality_is_worth_the_bits(lasts: float, spends: float, best: int) -> None:
    """`lasts` is how much better, in dB, pictures are with near anchors; `spends` how many times the bits they cost."""
    planes = Planes(torch.zeros(LOOKED_AT, 1, 32, 32), torch.zeros(LOOKED_AT, 2, 16, 16))
    tables = family("hivae").fitted(None).tables

    def code(some: Planes, chunk: int) -> Any:
        better, count = (lasts, spends) if chunk == 2 else (0.0, 1.0)
        decoded = {frame: (torch.full((1, 1, 32, 32), 0.1 * 10 ** (-better / 20)),) for frame in range(LOOKED_AT)}
        symbols = np.ones(round(10 * count), np.int32)
        passes = [(symbols, np.full(symbols.shape, 9, np.uint8))]
        return SimpleNamespace(decoded=decoded), [PassStream("any", symbols.shape, passes)]

    assert best_chunk(planes, tables, code) == best


def test_paths_without_corrections_are_straight() -> None:
    paths = Paths()
    anchor = anchors_of(9, 8)[0]
    paths.of(anchor, np.full((2, 1, 1), 80, np.int32))
    for node in details_of(9, 8):
        forward, backward, sides = paths.of(node, np.zeros((3, 1, 1), np.int32))
        assert forward[0, 0, 0] == 10 * (node.frame - node.before) and not sides.any()
        assert node.after is not None and backward[0, 0, 0] == 10 * (node.frame - node.after)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2), st.integers(0, 99))
def test_fields_come_back(height: int, width: int, role: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    contexts = FieldContexts.default()

    def field(components: int) -> Ints:
        vectors = rng.integers(-40, 41, (2, height * width)) * (rng.random(height * width) < 0.3)
        sides = rng.integers(-1, 2, (1, height * width))
        return np.concatenate((vectors, sides))[:components].astype(np.int32)

    earlier = [Field(values, values) for values in (field(2), field(3))[:role]]
    truth, passes = field(3 if role else 2), Passes()
    wrote = walk(height, width, contexts, earlier, writing(truth, passes))
    left = iter(passes)

    def read(tables: np.ndarray) -> Ints:
        symbols, expected = next(left)
        assert np.array_equal(tables, expected)
        return symbols

    got = walk(height, width, contexts, earlier, reading(read))
    assert np.array_equal(got.values, truth) and np.array_equal(got.residuals, wrote.residuals)


def test_a_vector_out_of_range_is_damage() -> None:
    with pytest.raises(DamagedError, match="motion vector"):
        walk(2, 2, FieldContexts.default(), [], reading(lambda tables: np.full(tables.shape, 2000, np.int32)))


def test_noise_is_the_same_everywhere() -> None:
    drawn = noise(2**64 - 1, (3, 4, 5))
    assert hashlib.sha256(drawn.numpy().tobytes()).hexdigest()[:16] == GOLDEN
    many = noise(0, (100_000,))
    assert abs(float(many.mean())) < 0.02 and abs(float(many.std()) - 1.0) < 0.01


GOLDEN = "cbb5f33ffaee0265"


def test_an_untrained_painter_changes_nothing_and_planes_come_back() -> None:
    planes = torch.rand(1, 24, 8, 12) - 0.5
    assert torch.allclose(quarters(*wholes(planes)), planes, atol=1e-6)
    painter = Painter(PainterConfig(8, 1, 1), 8, drawn=True)
    q, text, mask = torch.full((1,), 50.0), torch.rand(1, 2, 8), torch.ones(1, 2)
    assert not painter(planes, q, text, mask, torch.randn(1, 24, 8, 12), torch.zeros(1)).any()
