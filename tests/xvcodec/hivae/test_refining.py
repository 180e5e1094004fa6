"""Latents that are moved by gradients before they are rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hivae_models import model
from xvc_bitstream.records import Gop

from xvcodec.codec import crossmodal_pass, entropy
from xvcodec.codec.analysis import analyse
from xvcodec.codec.family import PassStream, Planes
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.codec.refining import SHARE, goal_of
from xvcodec.codec.session import Session
from xvcodec.codec.structure import dissimilarity
from xvcodec.models.crossmodal import Crossmodal, Picture, pack
from xvcodec.models.weights import load_model
from xvcodec.options import TUNES

SIZE = 96


def waves(frames: int) -> Planes:
    """Waves that drift under noise that stands still."""
    x = torch.arange(SIZE, dtype=torch.float32)
    y, number = x[:, None], torch.arange(frames, dtype=torch.float32)[:, None, None]
    noise = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    luma = 0.2 * torch.sin(0.31 * (x + number) + 0.1 * y) + 0.1 * torch.sin(0.02 * x * y) + 0.04 * noise
    return Planes(luma[:, None].clamp(-0.5, 0.5), 0.2 * luma[:, None, ::2, ::2].repeat(1, 2, 1, 1))


@pytest.fixture(scope="module")
def session() -> Session:
    """Of the model that ships."""
    return Session.open(load_model("hivae"), "constriction", None, "torch", "cpu")


def bare(kind: str) -> Crossmodal:
    """A model without a filter behind one kind of picture."""
    made = model()
    getattr(made, kind).refiner = None
    return made


@pytest.mark.parametrize("tuned", [False, True])
def test_without_a_filter_the_goal_is_what_the_transform_says(tuned: bool) -> None:
    """For squared errors alone, whatever blocks count: the gradient then leads to the source in one step."""
    made, planes = bare("anchor"), waves(2)
    q, field = torch.full((1, 1, SIZE // 32, SIZE // 32), 40.0), torch.zeros(1, 3, SIZE // 8, SIZE // 8)
    before, picture = ((planes.luma[at : at + 1], planes.chroma[at : at + 1]) for at in range(2))
    blocks = torch.rand(SIZE // 8, SIZE // 8) + 0.5 if tuned else None
    goal = goal_of(made, "anchor", picture, (*before, field), q, "float32", blocks)
    goal.structure = 0.0
    exact = made.anchor.analyse(pack(*picture), made.predict_anchor(Picture(*before), field), q)
    rounded = exact.round()
    found = goal.nearer(rounded, rounded)
    torch.testing.assert_close(found, torch.lerp(rounded, exact, SHARE), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("tune", TUNES)
def test_decoded_pictures_come_nearer(session: Session, tune: str) -> None:
    """At one quality, by what the encoder is tuned for."""
    codec, planes, guide = session.codec, waves(1), session.guidance("")
    assert isinstance(codec, HivaeCodec)
    found = codec.analyse(planes, 52.0, guide, tune)
    refined, plain = (codec.unpainted(planes, found, 52.0, guide, each).decoded().luma.float() for each in (True, False))
    if tune == "psnr":
        assert (refined - planes.luma).square().mean() < 0.96 * (plain - planes.luma).square().mean()
    else:
        assert dissimilarity(refined, planes.luma) < 0.96 * dissimilarity(plain, planes.luma)


def test_a_round_that_makes_it_worse_is_not_taken(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, planes, guide = session.codec, waves(1), session.guidance("")
    assert isinstance(codec, HivaeCodec)
    found = codec.analyse(planes, 52.0, guide)
    plain = codec.closed(planes, found, 52.0, guide, refined=False).coding.rounder.latents["key"][0]
    monkeypatch.setattr("xvcodec.codec.refining.SHARE", -2.0)  # away from the source
    found = replace(found, coded=None)
    np.testing.assert_array_equal(codec.closed(planes, found, 52.0, guide).coding.rounder.latents["key"][0], plain)


def test_anchors_are_refined_and_what_is_written_is_what_was_decoded(session: Session) -> None:
    codec, planes, guide = session.codec, waves(5), session.guidance("")
    assert isinstance(codec, HivaeCodec)
    found = codec.analyse(planes, 48.0, guide)
    refined, plain = (codec.closed(planes, found, 48.0, guide, each).coding.rounder for each in (True, False))
    assert all((refined.latents[kind][0] != plain.latents[kind][0]).any() for kind in ("key", "anchor"))
    coded = codec.encode(planes, found, 48.0, guide)
    streams = entropy.pack(coded.streams, session.coder, session.model.tables)
    read = entropy.StreamReader(Gop(tuple(range(5)), 0, 48 * 256, 0, streams), session.coder, session.model.tables)
    symbols = codec.decode_symbols(5, SIZE, SIZE, 48.0, read)
    pictures = torch.cat([each.luma for each in codec.reconstruct(symbols, 48.0, guide)])
    torch.testing.assert_close(pictures, coded.decoded().luma, atol=1e-3, rtol=0.0)


def test_a_gop_is_not_coded_again_at_the_quality_that_was_analysed(session: Session) -> None:
    codec, planes, guide = session.codec, waves(5), session.guidance("")
    assert isinstance(codec, HivaeCodec)
    found = codec.analyse(planes, 48.0, guide)
    known, again = codec.closed(planes, found, 48.0, guide), codec.closed(planes, replace(found, coded=None), 48.0, guide)
    assert codec.closed(planes, found, 48.0, guide) is known is not again
    assert codec.closed(planes, found, 48.25, guide) is not known
    for one, other in zip(codec.written(known).streams, codec.written(again).streams, strict=True):
        assert one.name == other.name and isinstance(one, PassStream) and isinstance(other, PassStream)
        assert all(np.array_equal(a, b) for both in zip(one.passes, other.passes, strict=True)
                   for a, b in zip(*both, strict=True))


def test_large_pictures_are_left_as_they_are(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients take memory for every pixel."""
    codec, planes, guide = session.codec, waves(1), session.guidance("")
    assert isinstance(codec, HivaeCodec)
    found = codec.analyse(planes, 45.0, guide)
    refined, plain = (codec.closed(planes, found, 45.0, guide, each).coding.rounder.latents["key"][0]
                      for each in (True, False))
    assert (refined != plain).any()
    monkeypatch.setattr(crossmodal_pass, "LARGEST", SIZE**2 - 1)
    found = replace(found, coded=None)
    np.testing.assert_array_equal(codec.closed(planes, found, 45.0, guide).coding.rounder.latents["key"][0], plain)


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_gradients_go_through_whatever_runs_the_steps(backend: str) -> None:
    """Also where all of it is done in inference mode, and where the runtime has no model to take them through."""
    with torch.inference_mode():
        session = Session.open(load_model("hivae"), "constriction", None, backend, "cpu")
        codec, planes, guide = session.codec, waves(2), session.guidance("")
        assert isinstance(codec, HivaeCodec)
        found = analyse(planes.luma, codec.nominal(52.0), codec.between(52.0), perceptual=True)
        refined, plain = (codec.closed(planes, found, 52.0, guide, each).coding.rounder.latents for each in (True, False))
    assert all((refined[kind][0] != plain[kind][0]).any() for kind in ("key", "anchor"))
