"""Training of the painter: recorded pictures survive a file, both stages run, weights of contexts are found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onedva_models import TINY, model

from xvcodec.codec.onedva import OnedvaCodec
from xvcodec.codec.token_contexts import KINDS, MOST, PLANES, TokenContexts
from xvcodec.families import family
from xvcodec.models.weights import load_model
from xvcodec.runtime.torch_runtime import TorchRuntime
from xvcodec.training.data import Batch, Clips
from xvcodec.training.fit_tokens import Collector
from xvcodec.training.onedva import OnedvaRecipe, OnedvaTask
from xvcodec.training.onedva_samples import Samples, record, samples_of


class FakeClips(Clips):
    """Waves that move, instead of a folder of clips."""

    def __init__(self, cache: Path) -> None:
        self.cache, self.rng = cache, np.random.default_rng(1)

    def clips(self, count: int, chunks: int, size: int) -> Batch:
        """See `Clips`; always of one chunk and 64 x 64 pixels."""
        y, x = np.mgrid[:64, :64]
        waves = torch.tensor(np.stack([np.sin(0.3 * x + 0.2 * y + 0.1 * at) + np.sin(0.9 * y) for at in range(5)]))
        luma = waves.float()[None, :, None] * 0.2
        return Batch(luma, luma.repeat(1, 1, 2, 1, 1)[..., ::2, ::2] * 0.3, torch.zeros(1, 1, 4, 3, 8, 8), ["waves"])


def samples(tiny: Path, folder: Path) -> Samples:
    """Pictures of two prefixes of a clip."""
    loaded = load_model(str(tiny))
    return record(OnedvaCodec(loaded, TorchRuntime(loaded.module, "cpu", "float32")), FakeClips(folder), 2, 3)


def test_recorded_pictures_survive_a_file(tiny: Path, tmp_path: Path) -> None:
    made = samples(tiny, tmp_path)
    assert len(made) == 6 and made.level[0] >= made.level[-1] and made.error[:3].mean() >= made.error[3:].mean()
    made.save(tmp_path / "onedva-samples.safetensors")
    again = samples_of(FakeClips(tmp_path), 0, torch.device("cpu"))
    assert torch.equal(again.luma, made.luma) and again.captions == ["waves"] * 6
    luma, chroma, true_luma, _, level, _, which = again.crops(4, 32, np.random.default_rng(0))
    assert luma.shape == true_luma.shape == (4, 1, 32, 32) and chroma.shape == (4, 2, 16, 16)
    assert torch.equal(level, made.level[which]) and (luma - true_luma).abs().mean() < 0.2


@pytest.mark.parametrize("settle", [10, 0])
def test_a_step_has_finite_gradients(settle: int, tiny: Path, tmp_path: Path) -> None:
    samples(tiny, tmp_path).save(tmp_path / "onedva-samples.safetensors")
    one = model().requires_grad_(True)
    task = OnedvaTask(OnedvaRecipe(TINY, minutes=1.0, batch=4, size=32, settle=settle), one, torch.device("cpu"))
    called = []
    figures = task.step(FakeClips(tmp_path), lambda captions: (torch.zeros(4, 2, 96), torch.ones(4, 2)),
                        lambda: called.append(1))
    assert called and all(torch.isfinite(value) for value in figures.values.values())
    assert ("drawn_loss" in figures.values) == (settle == 0)
    assert all(torch.isfinite(value.grad).all() for value in one.parameters() if value.grad is not None)
    assert family("onedva").recipes()["onedva"].model.family == "onedva"


def test_weights_of_contexts_are_found_again() -> None:
    contexts = TokenContexts.default()
    collector, random = Collector(contexts), np.random.default_rng(3)
    features = random.integers(0, 12, (20000, 5)).astype(np.int32)
    rate = (features @ np.array([0.01, 0.0, 0.1, 0.02, 0.2])) + 0.05
    found = random.random(len(rate)) < 1.0 - np.exp(-rate)
    group = np.full(len(rate), 2 * MOST + 1)
    collector._keep(collector.flags, "flag", features, group, group * PLANES + 4, found)
    some = np.zeros((30, 3), np.int32), np.zeros(30, np.int64), np.zeros(30, np.int64), np.zeros(30, bool)
    collector._keep(collector.signs, "sign", *some)
    made = collector.fitted()
    weights = made["flag_weights"].reshape(len(KINDS), MOST, 5)[2, 1] / 256
    assert np.allclose(weights, [0.01, 0.0, 0.1, 0.02, 0.2], atol=0.03)
    TokenContexts.from_tensors(contexts.to_tensors() | made)
