"""The rule of exactness: a file gives the same integers on every runtime; float drift stays in the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from codec_clips import INFO, largest_difference, same_arrays, session_on, steady, symbols_of, texture
from xvc_bitstream import Gop, Reader

import xvcodec
from xvcodec import DecodeOptions
from xvcodec.codec.planes import to_frames
from xvcodec.codec.session import Session
from xvcodec.codec.trial import Trial
from xvcodec.models.context import Context
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime
from xvcodec.runtime.torch_runtime import TorchRuntime

TOLERANCE = 6
"""Levels by which bfloat16 may differ after a GOP of 8 frames of strong texture (float32 runtimes: 1)."""


@pytest.fixture(scope="module")
def gops(coded: Path) -> list[Gop]:
    with Reader.open(coded) as reader:
        return list(reader.gops())


@pytest.fixture(scope="module")
def reference(fast: LoadedModel, gops: list[Gop]) -> list[dict[str, np.ndarray]]:
    """What torch in float32 reads."""
    session = session_on(fast)
    return [symbols_of(session, gop, INFO.height, INFO.width) for gop in gops]


@pytest.fixture(scope="module", params=["bfloat16", "onnx"])
def other(request: pytest.FixtureRequest, fast: LoadedModel) -> Iterator[Runtime]:
    """Runtimes that compute other floats than torch in float32."""
    if request.param == "bfloat16":
        yield TorchRuntime(fast.module, "cpu", "bfloat16")
        return
    pytest.importorskip("onnx", reason="exporting graphs needs onnx")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from xvcodec.runtime.onnx_runtime import OnnxRuntime

    with OnnxRuntime(fast.module, None, "cpu", 1) as runtime:
        yield runtime


def rebuilt(session: Session, gop: Gop) -> list[xvcodec.media.Frame]:
    """Pictures of a GOP."""
    from codec_clips import padded_size

    from xvcodec.codec.entropy import StreamReader

    read = StreamReader(gop, session.coder, session.model.tables)
    quality = gop.quality / 256.0
    symbols = session.codec.decode_symbols(len(gop.pts), *padded_size(INFO.height, INFO.width, 32), quality, read)
    frames = []
    for planes in session.codec.reconstruct(symbols, quality, session.guidance("waves that drift")):
        frames += to_frames(planes, range(planes.luma.shape[0]), [1] * planes.luma.shape[0], INFO.height, INFO.width, 8)
    return frames


def test_every_runtime_reads_the_same_integers(fast: LoadedModel, gops: list[Gop], other: Runtime,
                                               reference: list[dict[str, np.ndarray]]) -> None:
    session = session_on(fast, other)
    for gop, expected in zip(gops, reference, strict=True):
        assert same_arrays(symbols_of(session, gop, INFO.height, INFO.width), expected)
    close = rebuilt(session, gops[0]), rebuilt(session_on(fast), gops[0])
    assert largest_difference(*close) <= (TOLERANCE if other.name == "torch" else 1)


def test_what_one_runtime_wrote_another_reads(fast: LoadedModel, other: Runtime) -> None:
    """The integers on the way in are those on the way out, whichever runtime encoded."""
    frames = texture(INFO, steady(6), seed=4)
    for writing, reading in ((other, None), (None, other)):
        session = session_on(fast, writing)
        trial = Trial(session, frames, INFO, session.guidance("a caption"))
        coded = session.codec.encode(trial.planes, trial.analysis(27.5), 27.5, trial.guide)
        gop = trial.code(27.5).gop
        read = symbols_of(session_on(fast, reading), gop, INFO.height, INFO.width)
        ahead = dict.fromkeys(("key.y", "anchor.y", "between.y"), 2)  # what is said of pictures and tables
        written = {stream.name: np.concatenate([symbols for symbols, _ in stream.passes[ahead.get(stream.name, 0) :]])
                   for stream in coded.streams}
        assert {*ahead, "key.cuts", "fields", "qualities"} == set(written) | {"qualities"} == set(read)
        for name in ahead:  # the order differs: as many of every value
            values, counts = (list(each) for each in np.unique(written[name][written[name] != 0], return_counts=True))
            assert [values, counts] == [list(each) for each in np.unique(read[name][read[name] != 0], return_counts=True)]
        assert np.array_equal(read["fields"], trial.analysis(27.5).fields)


def test_noise_in_the_means_cannot_desynchronise(coded: Path, reference: list[dict[str, np.ndarray]],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    with xvcodec.open(coded, DecodeOptions(backend="torch", device="cpu")) as video:
        clean = list(video.frames())
    random, expect = torch.Generator().manual_seed(1), Context.expect

    def noisy(self: Context, *args: Any) -> torch.Tensor:
        exact = expect(self, *args)
        return exact + 0.002 * torch.randn(exact.shape, generator=random)

    monkeypatch.setattr(Context, "expect", noisy)
    with xvcodec.open(coded, DecodeOptions(backend="torch", device="cpu")) as video:
        assert all(same_arrays(a, b) for a, b in zip(video.latents(), reference, strict=True))
        drifted = list(video.frames())
    assert len(drifted) == len(clean)
    error = np.mean([np.abs(a.y.astype(float) - b.y).mean() for a, b in zip(clean, drifted, strict=True)])
    assert 0.0 < error < 2.0


def test_the_start_of_a_gop_knows_nothing_of_its_end(fast: LoadedModel) -> None:
    """But for qualities, which follow from what will be predicted from an area: here they are the same."""
    session = session_on(fast)
    one = texture(INFO, steady(9), seed=1)
    two = [*one[:5], *texture(INFO, steady(9), seed=2)[5:]]
    results = []
    for frames in (one, two):
        trial = Trial(session, frames, INFO, session.guidance(""))
        found = trial.analysis(30.0)
        trial._analysis = replace(found, octaves=np.zeros_like(found.octaves))
        coded = trial.code(30.0)
        results.append((symbols_of(session, coded.gop, INFO.height, INFO.width), coded.planes.luma))
    (a, luma_a), (b, luma_b) = results
    for kind in ("key", "anchor", "between"):
        assert np.array_equal(a[f"{kind}.y"][:1], b[f"{kind}.y"][:1])
    assert np.array_equal(a["fields"][0], b["fields"][0]) and torch.equal(luma_a[:5], luma_b[:5])
    assert not torch.equal(luma_a[5:], luma_b[5:])


def test_later_damage_leaves_earlier_frames_alone(fast: LoadedModel) -> None:
    """Decoding is causal, too: frames come out before later integers are looked at."""
    session = session_on(fast)
    trial = Trial(session, texture(INFO, steady(9)), INFO, session.guidance(""))
    gop = trial.code(30.0).gop
    from codec_clips import padded_size

    from xvcodec.codec.entropy import StreamReader

    read = StreamReader(gop, session.coder, session.model.tables)
    symbols = session.codec.decode_symbols(9, *padded_size(INFO.height, INFO.width, 32), 30.0, read)
    clean = [planes.luma for planes in session.codec.reconstruct(symbols, 30.0, trial.guide)]
    symbols.latents["anchor"][1] += 3
    wrong = [planes.luma for planes in session.codec.reconstruct(symbols, 30.0, trial.guide)]
    assert [len(part) for part in clean] == [1, 4, 4]
    assert torch.equal(clean[0], wrong[0]) and torch.equal(clean[1], wrong[1]) and not torch.equal(clean[2], wrong[2])
