"""Motion fields of the training clips, searched once and kept beside the decoded planes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xvcodec.models.search import search_between, search_forward, step_of

CHUNK = 4
CHUNKS = 7
"""Chunks searched in each clip, where it has so many: one key frame and 28 frames after it."""
QUALITIES = (28.0, 63.0)
"""Vectors of a clip are searched for a quality (crf) drawn from here: models see dense and sparse fields."""


def chunk_fields(luma: Tensor, quantiser: float) -> Tensor:
    """Fields of consecutive chunks.

    Args:
        luma: [1 + 4n, 1, H, W] in [-0.5, 0.5]: a key frame and n chunks of four frames.
        quantiser: step, see `xvcodec.models.search.step_of`.
    Returns:
        int16 [n, 4, 3, H/8, W/8]: anchor field with its blurs, then the corrections and sides of the three frames between.
    """
    before, after = luma[0:-1:CHUNK], luma[CHUNK::CHUNK]
    anchor = search_forward(after, before, quantiser)
    parts = [anchor]
    for step in range(1, CHUNK):
        parts.append(search_between(luma[step::CHUNK], before, after, anchor[:, :2], step / CHUNK, quantiser))
    return torch.stack(parts, dim=1).clamp(-2047, 2047).to(torch.int16)


def search_clips(cache: Path, seed: int = 0) -> None:
    """Search every clip of `cache/index.json` in random order into `motion.bin`, noting each start in `motion.jsonl`.

    Restartable: clips already in `motion.jsonl` are skipped, so training may begin while this runs.
    """
    rows = [row for row in json.loads((cache / "index.json").read_text()) if row["store"] == "clips.bin"]
    store = np.memmap(cache / "clips.bin", np.uint8, "r")
    notes = cache / "motion.jsonl"
    known = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    done = {note["offset"] for note in known}
    rng = np.random.default_rng(seed)
    with open(cache / "motion.bin", "ab") as sink, open(notes, "a") as log, torch.inference_mode():
        for number in rng.permutation(len(rows)):
            row = rows[int(number)]
            chunks = min(CHUNKS, (row["frames"] - 1) // CHUNK)
            if row["offset"] in done or chunks < 1:
                continue
            start = int(rng.integers(0, row["frames"] - chunks * CHUNK))
            size = row["height"] * row["width"] * 3 // 2
            span = store[row["offset"] + start * size : row["offset"] + (start + chunks * CHUNK + 1) * size]
            luma = span.reshape(-1, size)[:, : row["height"] * row["width"]]
            planes = torch.from_numpy(luma.astype(np.float32)).view(-1, 1, row["height"], row["width"]) / 255 - 0.5
            fields = chunk_fields(planes, step_of(rng.uniform(*QUALITIES))).numpy()
            at = sink.tell()
            sink.write(fields.tobytes())
            sink.flush()
            log.write(json.dumps({"offset": row["offset"], "start": start, "chunks": chunks, "at": at}) + "\n")
            log.flush()
