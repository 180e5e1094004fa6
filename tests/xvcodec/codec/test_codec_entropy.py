"""Entropy coding of real latents: as short as the model says, the same through both coders; the quantiser's rules."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from codec_clips import INFO, session_on, steady, symbols_of, texture
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_bitstream import CoderError, DamagedError, Gop, Stream, TableSet, bits, get_coder, log_scales

from xvcodec.codec.coefficients import NONE
from xvcodec.codec.crossmodal import PRICE
from xvcodec.codec.entropy import StreamReader, pack
from xvcodec.codec.family import CodedGop, CodedStream, PassStream
from xvcodec.codec.quantise import SKIP, Quantiser
from xvcodec.codec.trial import Trial
from xvcodec.media import Frame, open_video
from xvcodec.models.weights import LoadedModel
from xvcodec.training.rate import LARGEST, SMALLEST

SLACK = 16
"""Bytes that a coder may spend on top of 0.5 %: its last state, and the length of the escapes."""


@pytest.fixture(scope="module")
def generated(fast: LoadedModel) -> CodedGop:
    return code(fast, texture(INFO, steady(6)), 15.0)


def code(model: LoadedModel, frames: list[Frame], quality: float) -> CodedGop:
    """The streams of one GOP before entropy coding."""
    from dataclasses import replace

    info = replace(INFO, width=frames[0].y.shape[1], height=frames[0].y.shape[0])
    trial = Trial(session_on(model), frames, info, session_on(model).guidance(""))
    return trial.session.codec.encode(trial.planes, trial.analysis(quality), quality, trial.guide)


def real_frames(data_dir: Path) -> Iterator[list[Frame]]:
    """The middles (256x160) of the first frames of two clips."""
    for path in sorted((data_dir / "val").glob("*.mp4"))[:2]:
        with open_video(path) as reader:
            frames = [frame for frame, _ in zip(reader.frames(), range(5), strict=False)]
        small = np.s_[32:112, 32:160]
        yield [Frame(f.pts, f.y[64:224, 64:320].copy(), f.u[small].copy(), f.v[small].copy()) for f in frames]


def check_lengths(coded: CodedGop, model: LoadedModel, coder: str = "constriction") -> None:
    """Every latent stream is within 0.5 % of what its tables say it needs."""
    streams = {stream.name: stream for stream in coded.streams}
    for packed in pack(coded.streams, get_coder(coder), model.tables):
        stream = streams[packed.name]
        if isinstance(stream, CodedStream):
            kept = stream.index >= stream.skip
            ideal = bits(stream.symbols[kept], stream.index[kept], model.tables) / 8
        else:
            each = 12 if coder == "torchac" else 0
            ideal = sum(bits(*pair, model.tables) / 8 + each for pair in stream.passes)
        assert len(packed.payload) <= ideal * 1.005 + SLACK, packed.name


@pytest.mark.parametrize("quality", [5.0, 32.0, 60.0])
def test_bytes_are_what_the_model_estimates(fast: LoadedModel, quality: float) -> None:
    check_lengths(code(fast, texture(INFO, steady(5)), quality), fast)


def test_bytes_are_what_the_model_estimates_on_real_clips(fast: LoadedModel, data_dir: Path) -> None:
    for frames in real_frames(data_dir):
        coded = code(fast, frames, 20.0)
        check_lengths(coded, fast)
        stream = next(s for s in coded.streams if s.name == "key.y")
        assert isinstance(stream, PassStream) and sum(np.count_nonzero(symbols) for symbols, _ in stream.passes) > 100


def test_both_coders_carry_the_same_symbols(fast: LoadedModel, generated: CodedGop) -> None:
    from xvc_bitstream.coders.torchac_build import load_backend

    try:
        load_backend()
    except CoderError as error:
        pytest.skip(str(error))
    check_lengths(generated, fast, "torchac")
    found = {stream.name: np.concatenate([symbols for symbols, _ in stream.passes[2:]]) for stream in generated.streams
             if isinstance(stream, PassStream) and stream.name.endswith(".y")}
    found = {name: np.sort(symbols[symbols != 0]) for name, symbols in found.items()}
    for coder in ("constriction", "torchac"):
        gop = Gop(steady(6), 3000, 15 * 256, 0, pack(generated.streams, get_coder(coder), fast.tables))
        read = symbols_of(session_on(fast, coder=coder), gop, INFO.height, INFO.width)
        for name, sizes in found.items():
            assert np.array_equal(np.sort(read[name][read[name] != 0]), sizes)


def test_symbols_of_the_narrowest_tables_are_zero_and_cost_nothing(fast: LoadedModel, generated: CodedGop) -> None:
    left_out = 0
    for stream in generated.streams:
        if isinstance(stream, PassStream) and stream.name.endswith(".y"):
            assert all((index != NONE).all() for _, index in stream.passes)
            left_out += int(np.prod(stream.shape)) - sum(index.size for _, index in stream.passes[2:])
    assert left_out > 1000
    stream = CodedStream("a", np.zeros((4, 5), np.int32), np.zeros((4, 5), np.uint8), SKIP)
    (packed,) = pack([stream], get_coder("constriction"), fast.tables)
    assert packed.payload == b"" and packed.shape == (4, 5)
    gop = Gop((0,), 1, 0, 0, (packed,))
    assert not StreamReader(gop, get_coder("constriction"), fast.tables)("a", stream.index, SKIP).any()


def test_a_stream_of_another_shape_is_damage(fast: LoadedModel) -> None:
    stream = CodedStream("a", np.zeros((4, 5), np.int32), np.full((4, 5), 9, np.uint8))
    gop = Gop((0,), 1, 0, 0, pack([stream], get_coder("constriction"), fast.tables))
    read = StreamReader(gop, get_coder("constriction"), fast.tables)
    for name, shape in (("a", (5, 4)), ("a", (20,)), ("b", (4, 5))):
        with pytest.raises(DamagedError, match="missing or has the wrong shape"):
            read(name, np.full(shape, 9, np.uint8))
    with pytest.raises(DamagedError), read.passes("a", (4, 6)):
        pass


def test_streams_without_symbols_are_left_out(fast: LoadedModel) -> None:
    empty = CodedStream("a", np.zeros((0, 3), np.int32), np.zeros((0, 3), np.uint8))
    passes = PassStream("fields", (0, 4, 2, 3, 3), [(np.zeros(0, np.int32), np.zeros(0, np.uint8))])
    assert pack([empty, passes], get_coder("constriction"), fast.tables) == ()


TABLES = TableSet.laplace(log_scales(), 40)
COST = -np.log2(TABLES.frequencies / 65536.0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3), st.sampled_from([0.3, 3.0, 300.0, 30000.0]))
def test_quantiser_lowers_only_where_it_pays(seed: int, price: float, size: float) -> None:
    random = np.random.default_rng(seed)
    residual = torch.from_numpy(random.laplace(0, size, 500).astype(np.float32))
    index = torch.from_numpy(random.integers(0, 64, 500).astype(np.float32))
    chosen = Quantiser(TABLES, price, SKIP)(residual, index)
    nearest = torch.floor(residual.abs() + 0.5)
    kept = index >= SKIP
    assert not chosen[~kept].any() and torch.equal(chosen, chosen.round())
    assert (chosen * residual >= 0).all()
    lower = nearest - chosen.abs()
    assert set(lower[kept].tolist()) <= {0.0, 1.0}
    for place in torch.nonzero(kept & (lower == 1)).flatten().tolist():
        k, table, exact = int(nearest[place]), int(index[place]), abs(float(residual[place]))
        step = min(k, 2) - TABLES.lowest  # further out, a Laplace table falls as fast as from 1 to 2
        saved = COST[table, step] - COST[table, step - 1]
        assert (exact - k + 1) ** 2 - (exact - k) ** 2 <= price * saved + 1e-3 + 1e-6 * exact


def test_what_counts_little_is_lowered_first() -> None:
    residual, index = torch.tensor([0.7, 0.9, -1.2, 2.6]), torch.full((4,), 30.0)
    quantiser = Quantiser(TABLES, PRICE, SKIP)
    assert quantiser(residual, index, 1.0).tolist() == [1.0, 1.0, -1.0, 3.0]
    assert quantiser(residual, index, torch.tensor([1.0, 0.05, 0.01, 0.01])).tolist() == [1.0, 0.0, 0.0, 2.0]


def test_price_zero_is_plain_rounding_and_nothing_is_clipped() -> None:
    residual = torch.tensor([0.49, 0.51, -0.7, 1.51, -2.4, 39.6, 41.2, -12345.7, 2.0e6])
    for table in (SKIP, 20, 63):
        chosen = Quantiser(TABLES, 0.0, SKIP)(residual, torch.full_like(residual, table))
        assert chosen.tolist() == torch.round(residual).tolist()
    far = Quantiser(TABLES, PRICE, SKIP)(residual, torch.full_like(residual, 40))
    assert (far - residual).abs().max() < 1.0


def test_values_beyond_the_alphabet_survive_the_file(fast: LoadedModel) -> None:
    """A symbol that no table holds is escaped, never clipped."""
    symbols = np.array([0, 1, -1, 500, -70000, 2**31 - 1, -(2**31)], np.int32)
    stream = CodedStream("a", symbols, np.full(7, 30, np.uint8), SKIP)
    coder = get_coder("constriction")
    gop = Gop((0,), 1, 0, 0, pack([stream], coder, fast.tables))
    assert np.array_equal(StreamReader(gop, coder, fast.tables)("a", stream.index, SKIP), symbols)


def test_a_payload_cut_short_is_an_error(fast: LoadedModel) -> None:
    """Also where its checksum was made afterwards: the coder alone decodes most of these to other symbols."""
    random, coder, unnoticed = np.random.default_rng(5), get_coder("constriction"), 0
    index = random.integers(10, 50, (2, 1000)).astype(np.uint8)
    scale = np.array(log_scales(64, SMALLEST, LARGEST))[index]
    inside = random.laplace(0, scale).round().clip(1 + fast.tables.lowest, fast.tables.highest)  # escapes would tell
    stream = CodedStream("a", inside.astype(np.int32), index)
    (packed,) = pack([stream], coder, fast.tables)
    for length in (1, 9, 40, len(packed.payload) // 2, len(packed.payload) - 64, len(packed.payload) - 16):
        gop = Gop((0,), 1, 0, 0, (Stream("a", stream.symbols.shape, packed.payload[:length]),))
        with contextlib.suppress(CoderError):
            coder.decode(packed.payload[:length], index.ravel(), fast.tables)
            unnoticed += 1
        with pytest.raises(CoderError):
            StreamReader(gop, coder, fast.tables)("a", index)
    assert unnoticed > 2


def test_lowest_symbols_at_the_end_are_bytes_that_are_missing(fast: LoadedModel) -> None:
    """Coder 2 writes nothing for them, so a few are believed and many are not; coder 1 has a checksum of its own."""
    tables = fast.tables
    for count, narrow in ((3, True), (40, False)):
        stream = CodedStream("a", np.append(np.arange(9), [tables.lowest] * count).astype(np.int32),
                             np.full(9 + count, 20 if narrow else 63, np.uint8))
        if not narrow:
            with pytest.raises(CoderError, match="--coder torchac"):
                pack([stream], get_coder("constriction"), tables)
            continue
        gop = Gop((0,), 1, 0, 0, pack([stream], get_coder("constriction"), tables))
        assert np.array_equal(StreamReader(gop, get_coder("constriction"), tables)("a", stream.index), stream.symbols)
    usual = TableSet.laplace(np.array([1.0]), 1)  # a lowest symbol that costs little means nothing
    stream = CodedStream("a", np.full(100, usual.lowest, np.int32), np.zeros(100, np.uint8))
    assert pack([stream], get_coder("constriction"), usual)[0].payload == b"\0"
