"""Loop filters fitted to what the codec decodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filter_clips import model, noise

from xvcodec.models.crossmodal import Crossmodal, pack
from xvcodec.models.loop_filter import LoopFilter
from xvcodec.training.data import Clips
from xvcodec.training.filter_samples import KINDS, Samples, record
from xvcodec.training.filter_states import save_filters, with_filters, with_sizes
from xvcodec.training.fit_filters import fit, gains

SIZES = {"anchor": (8, 1), "between": (6, 0)}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return noise(tmp_path_factory.mktemp("cache"))


def changed(module: Crossmodal) -> Crossmodal:
    for kind in KINDS:
        torch.nn.init.normal_(getattr(module, kind).refiner.head.weight, std=0.1)
    return module


def test_every_predicted_picture_is_recorded_with_its_source(clips: Clips) -> None:
    made = model()
    found = record(made, clips, 2, 2)
    assert made.module.anchor.refiner is None
    for kind, each in (("anchor", 1), ("between", 3)):
        samples = found[kind]
        assert len(samples) == 4 * each and samples.chunk.tolist() == ([0] * each + [1] * each) * 2
        source = [plane.float() / 255 - 0.5 for plane in samples.source]
        errors = [float((pack(*(plane[at : at + 1].float() for plane in samples.rough))
                         - pack(*(plane[at : at + 1] for plane in source))).square().mean()) for at in range(len(samples))]
        assert errors == pytest.approx(samples.error.tolist(), rel=0.02)


def test_a_filter_in_the_loop_is_seen_by_later_pictures(clips: Clips) -> None:
    made = model()
    filtered = replace(made, module=changed(with_sizes(made.module, SIZES, True)))
    found = []
    for each in (made, filtered):
        clips.rng = np.random.default_rng(1)
        found.append(record(each, clips, 1, 2)["anchor"].rough[0])
    assert torch.equal(found[0][0], found[1][0]) and not torch.equal(found[0][1], found[1][1])


def test_clips_kept_for_measuring_are_others(clips: Clips) -> None:
    photographs = clips.images = [{"offset": number} for number in range(4)]
    known, kept = clips.apart(3)
    assert kept.images == photographs[::3] and known.images == photographs[1:3]
    assert [note["offset"] == 0 for note in known.notes] == [False, False] and [note["offset"] for note in kept.notes] == [0]
    with pytest.raises(ValueError, match="too few"):
        known.apart(1)


def test_what_is_the_same_in_every_block_is_learned() -> None:
    torch.manual_seed(0)
    source = (torch.rand(4, 1, 128, 128) * 255).to(torch.uint8), (torch.rand(4, 2, 64, 64) * 255).to(torch.uint8)
    pattern = (torch.rand(8, 8) - 0.5).repeat(16, 16) * 0.2
    luma, chroma = (plane.float() / 255 - 0.5 for plane in source)
    samples = Samples(((luma + pattern).half(), chroma.half()), (luma.half(), chroma.half()), source,
                      torch.full((4, 1, 16, 16), 0.1), torch.full((4,), float(pattern.square().mean()) * 2 / 3),
                      torch.zeros(4))
    made = LoopFilter(16, 0)
    fit(made, samples, 120, 1e-2, 0, lambda line: None)
    assert np.mean([gain for _, gain in gains(made, samples)]) > 1.0


def test_filters_come_back_from_their_file(tmp_path: Path) -> None:
    before = changed(with_sizes(model().module, SIZES, True))
    save_filters(before, tmp_path / "filters.safetensors")
    after = with_filters(model().module, tmp_path / "filters.safetensors")
    assert after.config.refiners == (6, 1, 8, 1, 6, 0)
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
