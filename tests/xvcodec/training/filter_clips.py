"""A tiny model and clips of noise for the tests of loop filters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from xvcodec.families.crossmodal import FAMILY
from xvcodec.models.crossmodal import FAST, Crossmodal
from xvcodec.models.weights import LoadedModel
from xvcodec.training.data import Clips

TINY = replace(FAST, name="tiny", width=12, key_blocks=(1, 1), leading=6, context=5, refiners=(6, 1, 0, 0, 0, 0),
               features=2, dense=False, fine=False, cuts=False)  # cuts would leave nothing to code behind it
CLIPS, FRAMES, SIDE = 3, 9, 256


def noise(folder: Path) -> Clips:
    """Noise that stands still, searched, in the layout of a cache."""
    area = SIDE**2 * 3 // 2
    levels = np.random.default_rng(0).integers(100, 140, (CLIPS, 1, area)).astype(np.uint8).repeat(FRAMES, 1)
    (folder / "clips.bin").write_bytes(levels.tobytes())
    (folder / "images.bin").write_bytes(bytes(area))
    rows = [{"store": "clips.bin", "offset": number * FRAMES * area, "frames": FRAMES, "height": SIDE, "width": SIDE,
             "caption": "", "kind": "camera"} for number in range(CLIPS)]
    fields = np.zeros((CLIPS, 2, 4, 3, SIDE // 8, SIDE // 8), np.int16)
    (folder / "motion.bin").write_bytes(fields.tobytes())
    notes = [{"offset": row["offset"], "start": 0, "chunks": 2, "at": at * fields[0].nbytes} for at, row in enumerate(rows)]
    (folder / "index.json").write_text(json.dumps(rows))
    (folder / "motion.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    return Clips(folder, 3)


def model() -> LoadedModel:
    """With nothing behind predicted pictures, and a `Refiner` behind key frames."""
    torch.manual_seed(0)
    fitted, module = FAMILY.fitted(None), Crossmodal(TINY).eval().requires_grad_(False)
    return LoadedModel("tiny", module, fitted.tables, fitted.extras, bytes(32), Path())
