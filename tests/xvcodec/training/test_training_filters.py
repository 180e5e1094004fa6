"""Loop filters fitted to what the codec decodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filter_clips import model, noise

from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.fine_filters import AnchorFilter, BetweenFilter, KeyFilter
from xvcodec.models.loop_filter import LoopFilter
from xvcodec.models.weights import load_model
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
        assert len(samples) == 4 * each and samples.group.tolist() == ([0] * each + [1] * each) * 2
        luma, own = samples.seen[0][0].float(), samples.source[0].float() / 255 - 0.5
        errors = [float((luma - source).square().mean()) for source in (own, own.roll(2 * each, 0))]
        assert errors[0] < 0.8 * errors[1]
        assert len(samples.seen) == 2


def test_what_both_anchors_predict_is_recorded_for_a_filter_that_sees_it(clips: Clips) -> None:
    made = model()
    made = replace(made, module=with_sizes(made.module, SIZES, True, True))
    before, base, half = record(made, clips, 1, 2)["between"].seen
    assert before[0].shape == base[0].shape == half[0].shape and not torch.equal(base[0], half[0])
    assert half[0].abs().max() < 0.2 < base[0].abs().max() + 0.5  # the clips stand still


def test_a_filter_in_the_loop_is_seen_by_later_pictures(clips: Clips) -> None:
    made = model()
    filtered = replace(made, module=changed(with_sizes(made.module, SIZES, True, False)))
    found = []
    for each in (made, filtered):
        clips.rng = np.random.default_rng(1)
        found.append(record(each, clips, 1, 2)["anchor"].seen[0][0])
    assert torch.equal(found[0][0], found[1][0]) and not torch.equal(found[0][1], found[1][1])


def test_a_model_of_low_rates_is_recorded_as_it_codes(tmp_path: Path) -> None:
    """It searches for itself, and what its encoder tries on the way is not recorded."""
    noise(tmp_path)
    made = load_model("hivae")
    found = record(made, Clips(tmp_path, 3, motion=False), 1, 1)
    assert len(found["anchor"]) == 1 and len(found["between"]) == 3
    assert isinstance(made.module, Crossmodal) and isinstance(made.module.anchor.refiner, AnchorFilter)


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
    half = (torch.rand(8, 8) - 0.5) * 0.2
    pattern = half + half.flip(0) + half.flip(1) + half.flip(0, 1)  # as crops are mirrored and transposed
    pattern = (pattern + pattern.T).repeat(16, 16) / 4
    luma, chroma = (plane.float() / 255 - 0.5 for plane in source)
    rough, base = ((luma + pattern).half(), chroma.half()), (luma.half(), chroma.half())
    for made, seen in ((LoopFilter(16, 0), (rough, base)), (KeyFilter(16, 0), (rough,)),
                       (BetweenFilter(16, 0), (rough, base, base))):
        samples = Samples(seen, source, torch.full((4, 1, 16, 16), 0.1), torch.zeros(4))
        fit(made, samples, 120, 1e-2, 0, lambda line: None)
        assert np.mean([gain for _, gain in gains(made, samples)]) > 1.0


def test_filters_come_back_from_their_file(tmp_path: Path) -> None:
    before = changed(with_sizes(model().module, SIZES, True, True))
    save_filters(before, tmp_path / "filters.safetensors")
    after = with_filters(model().module, tmp_path / "filters.safetensors")
    assert after.config.refiners == (6, 1, 8, 1, 6, 0) and after.config.fine and after.config.paired
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())


def test_filters_of_the_same_sizes_are_kept() -> None:
    before = changed(with_sizes(model().module, SIZES, True, True))
    after = with_sizes(before, SIZES | {"anchor": (10, 1)}, True, True)
    assert torch.equal(after.between.refiner.head.weight, before.between.refiner.head.weight)
    assert not after.anchor.refiner.head.weight.any()
