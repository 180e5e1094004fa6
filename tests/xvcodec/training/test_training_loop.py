"""The training loop: runs that end after so many steps, and what the log says of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from xvcodec.models.latent import LatentConfig
from xvcodec.training.latent import RECIPES
from xvcodec.training.loop import Trainer

TINY = LatentConfig("tiny-latent", eye=(4, 6), wide=(12, 16), blocks=(1, 1), brush=(6, 8), strokes=(1, 1), features=(2, 3),
                    hyper=4)
RECIPE = replace(RECIPES["crossmodal-latent-cpu"], model=TINY, batch=2, photographs=2, chunks=1, size=32, warm=2, probes=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in the layout that `prepare` writes: two clips of 9 frames and two photographs of 128 x 128."""
    folder, area, rows = tmp_path_factory.mktemp("cache"), 128 * 128 * 3 // 2, []
    for store, frames in (("clips.bin", 9), ("images.bin", 1)):
        levels = np.random.default_rng(frames).integers(100, 140, 2 * frames * area).astype(np.uint8)
        (folder / store).write_bytes(levels.tobytes())
        rows += [{"store": store, "offset": number * frames * area, "frames": frames, "height": 128, "width": 128,
                  "caption": "noise", "kind": "camera"} for number in range(2)]
    (folder / "index.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.parametrize("changes", [{}, {"video_only": True}, {"stills": 1}], ids=str)
def test_a_run_ends_after_its_steps_and_goes_on(cache: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    torch.set_num_threads(1)
    recipe, path = replace(RECIPE, steps=3, **changes), tmp_path / "a.pt"
    for total in (3, 6):
        trainer = Trainer(recipe, cache, path, print, torch.device("cpu"))
        trainer.train()
        assert trainer.step == total
    saved = torch.load(path, weights_only=True)
    assert saved["step"] == 6 and saved["processor"] > 0.0
    assert all(torch.isfinite(value).all() for value in saved["average"].values())


def test_the_rate_falls_with_the_steps(cache: Path, tmp_path: Path) -> None:
    trainer = Trainer(replace(RECIPE, steps=100, fall=0.5, warm=1), cache, tmp_path / "a.pt", print, torch.device("cpu"))
    factors = [trainer._factor(step, trainer._left(step, 0.0)) for step in (0, 49, 75, 99)]
    assert factors[:2] == [1.0, 1.0] and factors[2] == pytest.approx(0.51) and factors[3] == pytest.approx(0.0396)
    assert trainer._left(10, trainer.recipe.minutes) <= 0.0
