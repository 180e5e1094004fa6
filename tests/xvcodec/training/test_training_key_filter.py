"""The loop filter of key frames fitted to what the codec decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from filter_clips import model, noise
from torch import nn

from xvcodec.training.data import Clips
from xvcodec.training.filter_states import save_key_filter, with_key_filter, with_key_size
from xvcodec.training.key_samples import QUALITIES, SIZE, areas, record_key_frames


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return noise(tmp_path_factory.mktemp("cache"))


def test_key_frames_are_recorded_before_their_filter(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xvcodec.training.key_samples.PHOTOGRAPHS", 0.0)
    found = []
    for strong in (False, True):
        made, clips.rng = model(), np.random.default_rng(4)
        refiner = made.module.key.refiner
        if strong:
            nn.init.normal_(refiner.head.weight, std=0.1)
        found.append(record_key_frames(made, clips, 2))
        assert made.module.key.refiner is refiner
    samples = found[0]
    assert torch.equal(samples.seen[0][0], found[1].seen[0][0]) and len(samples) == 2
    assert samples.step.shape == (2, 1, SIZE // 8, SIZE // 8)
    for rough, source in zip(samples.seen[0], samples.source, strict=True):
        own, other = ((rough.float() - (each.float() / 255 - 0.5)).square().mean() for each in (source, source.flip(0)))
        assert own < 0.8 * other


def test_maps_of_quality_change_by_whole_levels() -> None:
    random, mapped = np.random.default_rng(0), 0
    for _ in range(40):
        quality = areas(random, 8, QUALITIES, 63.0)
        assert quality.min() >= 0.0 and quality.max() <= 63.0
        inside = quality[(quality > 0.0) & (quality < 63.0)]
        assert np.allclose((inside - inside[0]) / 4, np.rint((inside - inside[0]) / 4), atol=1e-4)
        mapped += len(np.unique(quality)) > 1
        assert len(np.unique(quality)) > 1 or QUALITIES[0] <= quality[0, 0] <= QUALITIES[1]
    assert 12 < mapped < 36


def test_a_key_filter_comes_back_from_its_file(tmp_path: Path) -> None:
    before = with_key_size(model().module, (8, 2))
    nn.init.normal_(before.key.refiner.head.weight, std=0.1)
    save_key_filter(before, tmp_path / "key.safetensors")
    after = with_key_filter(model().module, tmp_path / "key.safetensors")
    assert after.config.refiners == (8, 2, 0, 0, 0, 0) and after.config.dense
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
