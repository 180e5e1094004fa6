"""Training of hivae models: clips coded once, and painters that learn from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hivae_models import TINY, model

from xvcodec.codec.structure import dissimilarity
from xvcodec.families import family
from xvcodec.models.painter import wholes
from xvcodec.models.weights import LoadedModel
from xvcodec.training import coded_clips
from xvcodec.training.coded_clips import CodedClips, code_clips
from xvcodec.training.data import Clips
from xvcodec.training.features import distance
from xvcodec.training.hivae import RECIPES, HivaeTask

SIDE, FRAMES = 32, 9


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips that stand still, each coded once."""
    folder = tmp_path_factory.mktemp("cache")
    level = np.random.default_rng(0).integers(100, 140, SIDE**2 * 3 // 2).astype(np.uint8)
    (folder / "clips.bin").write_bytes(level.tobytes() * FRAMES * 2)
    (folder / "images.bin").write_bytes(bytes(6))
    row = {"store": "clips.bin", "frames": FRAMES, "height": SIDE, "width": SIDE, "caption": "noise", "kind": "camera"}
    (folder / "index.json").write_text(json.dumps([row | {"offset": number * level.size * FRAMES} for number in range(2)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coded_clips, "SIZE", SIDE)
        patch.setattr(coded_clips, "AREA", SIDE * SIDE)
        patch.setattr(coded_clips, "CHUNKS", 2)
        patch.setattr(coded_clips, "KEPT", 2)
        fitted = family("hivae").fitted(None)
        loaded = LoadedModel("", model(), fitted.tables, fitted.extras, b"", Path())
        for count in (1, 2):  # the second call goes on
            code_clips(loaded, Clips(folder, motion=False), folder, count)
        yield folder


def test_pictures_come_in_pairs_of_neighbours(cache: Path) -> None:
    clips = CodedClips(cache)
    assert len(clips.notes) == len(CodedClips(cache, kept=True).notes) == 1 and clips.notes[0]["frames"] == FRAMES
    pairs = clips.draw(3, 32, np.random.default_rng(1))
    assert pairs.truth.shape == pairs.decoded.shape == (6, 6, 16, 16) and len(pairs.captions) == 6
    assert torch.equal(pairs.truth[0], pairs.truth[1])  # nothing moves
    levels = (wholes(pairs.truth)[0] + 0.5) * 255.0
    assert torch.allclose(levels, levels.round(), atol=1e-3) and 100.0 <= levels.min() <= levels.max() <= 140.0


@pytest.mark.parametrize("parts", [("mean", "flow"), ("flow",)])
def test_every_kind_of_step_moves_what_it_should(cache: Path, parts: tuple[str, ...]) -> None:
    recipe = replace(RECIPES["hivae-cpu"], model=TINY, batch=1, size=32, gops=2, parts=parts)
    task = HivaeTask(recipe, model().requires_grad_(True), torch.device("cpu"))
    clips, seen, told = Clips(cache, motion=False), [], set[str]()

    def update() -> None:
        seen.append({name.split(".")[0] for name, value in task.model.named_parameters() if value.grad is not None})
        task.model.zero_grad()

    for _ in range(3):
        figures = task.step(clips, lambda captions: (torch.zeros(len(captions), 1, TINY.text), torch.ones(len(captions), 1)),
                            update)
        assert all(torch.isfinite(value) for value in figures.values.values())
        told |= set(figures.values)
    assert seen == [set(parts)] * 3 and {"lines_loss", "once_seen", "twice_seen"} < told
    assert ("mean_loss" in told) == ("mean" in parts)


def test_distance_is_that_of_unit_vectors() -> None:
    one, other = torch.rand(2, 5, 3, 4) + 0.1, torch.rand(2, 5, 3, 4) + 0.1
    units = [torch.nn.functional.normalize(each, dim=1) for each in (one, other)]
    assert float(distance(one, other)) == pytest.approx(float((units[0] - units[1]).square().sum(1).mean()), abs=1e-5)
    assert float(distance(one, one)) == pytest.approx(0.0, abs=1e-5)


def test_dissimilarity_sees_lost_structure_and_not_brightness() -> None:
    picture = torch.rand(2, 1, 96, 80, generator=torch.Generator().manual_seed(1)) - 0.5
    flat = torch.nn.functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)
    assert float(dissimilarity(picture, picture)) == pytest.approx(0.0, abs=1e-5)
    assert float(dissimilarity(picture + 0.1, picture)) == pytest.approx(0.0, abs=1e-4)
    assert 0.1 < float(dissimilarity(flat, picture)) < float(dissimilarity(-picture, picture)) < 2.0
