"""Training of painters, of every family that has them: clips coded once, and painters that learn from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from xvcodec.codec.structure import dissimilarity, texture_gap
from xvcodec.families import family
from xvcodec.models.hivae import HIVAE
from xvcodec.models.onedva import ONEDVA
from xvcodec.models.painter import wholes
from xvcodec.models.weights import load_model
from xvcodec.training import coded_clips, onedva
from xvcodec.training.coded_clips import CodedClips
from xvcodec.training.data import Clips
from xvcodec.training.features import distance
from xvcodec.training.hivae import RECIPES, HivaeTask
from xvcodec.training.onedva import OnedvaTask
from xvcodec.training.painting import PainterRecipe, PainterTask

SIDE, FRAMES = 32, 9
SMALL = ((4, 1), (6, 1), (8, 1))
TINY = {"width": 24, "leading": 16, "context": 5, "refiners": (8, 1, 8, 1, 8, 1), "features": 2, "mean": SMALL,
        "flow": SMALL}
MODELS = {
    "hivae": replace(HIVAE, name="tiny-hivae", **TINY),  # type: ignore[arg-type]
    "onedva": replace(ONEDVA, name="tiny-onedva", **TINY),  # type: ignore[arg-type]
}
VERSIONS = {"hivae": 1, "onedva": 2}
"""GOPs that come of a clip: of onedva with all tokens, and with some."""


def recipe(name: str, parts: tuple[str, ...] = ("mean", "flow"), clips: int = 2) -> PainterRecipe:
    """Of the tiny model of a family."""
    return replace(RECIPES["hivae-cpu"], model=MODELS[name], batch=1, size=32, parts=parts, gops=clips * VERSIONS[name])


def task(name: str, given: PainterRecipe) -> PainterTask:
    """A model of random weights, to train."""
    torch.manual_seed(3)
    made = family(name).task(given, family(name).build(given.model), torch.device("cpu"))
    assert isinstance(made, PainterTask)
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two clips that stand still, each coded once by both families."""
    folder = tmp_path_factory.mktemp("cache")
    level = np.random.default_rng(0).integers(100, 140, SIDE**2 * 3 // 2).astype(np.uint8)
    (folder / "clips.bin").write_bytes(level.tobytes() * FRAMES * 2)
    (folder / "images.bin").write_bytes(bytes(6))
    row = {"store": "clips.bin", "frames": FRAMES, "height": SIDE, "width": SIDE, "caption": "noise", "kind": "camera"}
    (folder / "index.json").write_text(json.dumps([row | {"offset": number * level.size * FRAMES} for number in range(2)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coded_clips, "SIZE", SIDE)
        patch.setattr(coded_clips, "PIXELS", SIDE * SIDE)
        patch.setattr(coded_clips, "CHUNKS", 2)
        patch.setattr(coded_clips, "KEPT", 2)
        patch.setattr(onedva, "QUALITIES", (24.0, 36.0))  # at coarser ones such clips have hardly any tokens
        for name in MODELS:
            for clips in (1, 2):  # the second call goes on
                task(name, recipe(name, clips=clips)).code(Clips(folder, motion=False))
        yield folder


@pytest.mark.parametrize("name", MODELS)
def test_pictures_come_in_pairs_of_neighbours(cache: Path, name: str) -> None:
    clips, kept = CodedClips(cache, name), CodedClips(cache, name, kept=True)
    assert len(clips.notes) == len(kept.notes) == VERSIONS[name] and clips.notes[0]["frames"] == FRAMES
    assert {note["clip"] for note in clips.notes} == {1} and {note["clip"] for note in kept.notes} == {0}
    pairs = clips.draw(3, 32, np.random.default_rng(1))
    assert pairs.truth.shape == pairs.decoded.shape == (6, 6, 16, 16) and len(pairs.captions) == 6
    assert pairs.looks_truth.shape == pairs.looks_decoded.shape == (9, 6, 16, 16)
    assert torch.equal(pairs.looks_truth[0], pairs.truth[0]) and not torch.equal(pairs.looks_truth, pairs.looks_decoded)
    assert torch.equal(pairs.truth[0], pairs.truth[1])  # nothing moves
    levels = (wholes(pairs.truth)[0] + 0.5) * 255.0
    assert torch.allclose(levels, levels.round(), atol=1e-3) and 100.0 <= levels.min() <= levels.max() <= 140.0
    assert 0.0 < (pairs.decoded - pairs.truth).abs().mean() < 0.1


def test_fewer_tokens_are_said_to_be_coarser(cache: Path) -> None:
    told = [[note["quality"] for note in CodedClips(cache, "onedva", kept).notes] for kept in (False, True)]
    assert all(whole <= part for whole, part in told) and any(whole < part for whole, part in told)


@pytest.mark.parametrize(("name", "parts"), [*((name, ("mean", "flow")) for name in MODELS), ("hivae", ("flow",))])
def test_every_kind_of_step_moves_what_it_should(cache: Path, name: str, parts: tuple[str, ...]) -> None:
    made = task(name, recipe(name, parts))
    clips, seen, told = Clips(cache, motion=False), [], set[str]()

    def update() -> None:
        seen.append({name.split(".")[0] for name, value in made.model.named_parameters() if value.grad is not None})
        made.model.zero_grad()

    def words(captions: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(captions), 1, HIVAE.text), torch.ones(len(captions), 1)

    for _ in range(3):
        figures = made.step(clips, words, update)
        assert all(torch.isfinite(value) for value in figures.values.values())
        told |= set(figures.values)
    assert seen == [{*parts, "teller"}] * 3 and {"lines_loss", "once_seen", "twice_seen", "hint_bits"} < told
    assert ("mean_loss" in told) == ("mean" in parts)


def test_new_models_begin_with_what_is_trained_already(cache: Path) -> None:
    one = HivaeTask(RECIPES["hivae"], family("hivae").build(HIVAE), torch.device("cpu"))
    other = OnedvaTask(replace(RECIPES["hivae"], model=ONEDVA), family("onedva").build(ONEDVA), torch.device("cpu"))
    for made, origin, left in ((one, "crossmodal-fast", {"mean", "flow", "teller"}), (other, "hivae", set[str]())):
        made.start(Clips(cache, motion=False))
        known, state = load_model(origin).module.state_dict(), made.model.state_dict()
        assert all(torch.equal(known[part], value) for part, value in state.items() if part in known)
        assert {part.split(".")[0] for part in state.keys() - known.keys()} == left


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


def test_texture_is_how_much_detail_there_is_wherever_it_is() -> None:
    picture, other = torch.rand(2, 1, 96, 80, generator=torch.Generator().manual_seed(1)).unsqueeze(1) - 0.5
    flat = torch.nn.functional.avg_pool2d(picture, 5, 1, 2)
    assert float(texture_gap(picture, picture)) == pytest.approx(0.0, abs=1e-5)
    assert float(texture_gap(other, picture)) < 0.15 < 1.0 < float(texture_gap(flat, picture))
    assert float(texture_gap(flat, flat + 0.1)) == pytest.approx(0.0, abs=1e-3)
