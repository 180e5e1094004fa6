"""Patches that are cut, in the codec: lossless maps, hostile symbols, and fewer bits where there are edges."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from codec_clips import session_on
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xvc_bitstream import Gop
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.analysis import Analysis
from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.cut_maps import decode_cuts, encode_cuts
from xvcodec.codec.entropy import StreamReader, pack
from xvcodec.codec.family import CodedGop, Planes
from xvcodec.codec.session import Session
from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.cuts import CUTS, LUMA
from xvcodec.models.weights import LoadedModel

QUALITY = 30.0


def reading(passes: list[tuple[Ints, NDArray[np.uint8]]]) -> Callable[[NDArray[np.uint8]], Ints]:
    """Gives back the symbols of passes, if it is asked with the same tables."""
    left = iter(passes)

    def read(tables: NDArray[np.uint8]) -> Ints:
        symbols, expected = next(left)
        assert np.array_equal(tables, expected)
        return symbols

    return read


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_maps_come_back_where_there_is_luma(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cuts = rng.integers(0, CUTS, (height, width), np.int32)
    latent = rng.integers(-2, 3, (384, height, width), np.int32) * (rng.random((1, height, width)) < 0.5)
    passes = encode_cuts(cuts, latent)
    luma = latent[LUMA.numpy()].any(0)
    assert sum(symbols.size for symbols, _ in passes) == luma.sum()
    assert np.array_equal(decode_cuts(latent, (height, width), reading(passes)), np.where(luma, cuts, 0))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_all_maps_come_back_where_coefficients_are_not_known(height: int, width: int, seed: int) -> None:
    cuts = np.random.default_rng(seed).integers(0, CUTS, (height, width), np.int32)
    passes = encode_cuts(cuts, None)
    assert sum(symbols.size for symbols, _ in passes) == cuts.size
    assert np.array_equal(decode_cuts(None, (height, width), reading(passes)), cuts)


def test_cuts_are_expected_beside_cuts() -> None:
    """Where coefficients are not known neighbours still say something."""
    alone, together = np.zeros((8, 8), np.int32), np.full((8, 8), 4, np.int32)
    widest = [max(int(tables.max(initial=0)) for _, tables in encode_cuts(cuts, None)) for cuts in (alone, together)]
    first = [int(encode_cuts(cuts, None)[0][1][0]) for cuts in (alone, together)]
    assert first[0] == first[1] == widest[0] < widest[1]


@pytest.mark.parametrize("latent", [np.ones((384, 2, 3), np.int32), None], ids=["known", "unknown"])
@pytest.mark.parametrize("symbol", [-5, 5, 127])
def test_a_cut_that_there_is_not_is_damage(symbol: int, latent: Ints | None) -> None:
    with pytest.raises(DamagedError, match="cut in a way"):
        decode_cuts(latent, (2, 3), lambda tables: np.full(tables.shape, symbol, np.int32))


def with_cuts(fast: LoadedModel, cuts: bool) -> Session:
    """crossmodal-fast, cutting patches or not."""
    module = copy.deepcopy(fast.module)
    assert isinstance(module, Crossmodal)
    module.config = replace(module.config, cuts=cuts)
    return session_on(replace(fast, module=module))


@pytest.fixture(scope="module")
def session(fast: LoadedModel) -> Session:
    """crossmodal-fast, cutting patches."""
    return with_cuts(fast, True)


def drawing() -> Planes:
    """Black and white rectangles, flat inside, 64 x 96."""
    rng, luma = np.random.default_rng(2), np.zeros((64, 96), np.float32)
    for top, left, side in zip(rng.integers(0, 60, 30), rng.integers(0, 90, 30), rng.integers(3, 20, 30), strict=True):
        luma[top : top + side, left : left + side] = rng.choice([-0.4, 0.4])
    return Planes(torch.from_numpy(luma)[None, None], torch.zeros(1, 2, 32, 48))


def encoded(session: Session) -> tuple[CodedGop, Gop]:
    """The drawing as a photograph."""
    assert isinstance(session.codec, CrossmodalCodec)
    analysis: Analysis = session.codec.analyse(drawing(), QUALITY, session.guidance(""))
    coded = session.codec.encode(drawing(), analysis, QUALITY, session.guidance(""))
    return coded, Gop((0,), 0, int(QUALITY * 256), 0, pack(coded.streams, session.coder, session.model.tables))


def test_the_decoder_makes_what_the_encoder_had(session: Session) -> None:
    coded, gop = encoded(session)
    symbols = session.codec.decode_symbols(1, 64, 96, QUALITY, StreamReader(gop, session.coder, session.model.tables))
    (planes,) = session.codec.reconstruct(symbols, QUALITY, session.guidance(""))
    assert torch.allclose(planes.luma, coded.decoded().luma, atol=1e-4)
    arrays = session.codec.integers(symbols)
    assert arrays["key.cuts"].shape == (1, 4, 6) and np.unique(arrays["key.cuts"]).size > 2


def test_edges_cost_less_and_look_no_worse(session: Session, fast: LoadedModel) -> None:
    sizes, errors = [], []
    for each in (session, with_cuts(fast, False)):
        coded, gop = encoded(each)
        sizes.append(sum(len(stream.payload) for stream in gop.streams))
        errors.append(float((coded.decoded().luma - drawing().luma).square().mean()))
    assert sizes[0] < sizes[1] and errors[0] < 0.8 * errors[1]
