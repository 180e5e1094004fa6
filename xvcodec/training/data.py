"""Batches for training: crops of clips with their motion fields, and crops of photographs.

On a CPU the decoded planes stay in memory maps; on a GPU the whole set lies on the device as uint8 and crops are
taken there, so that nothing is copied per step but corner coordinates.
"""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xvcodec.models.warp import BLOCK
from xvcodec.training.motion import CHUNK

Row = dict[str, Any]
"""A line of the index or of the list of searched clips."""

GENERATED_WEIGHT = 0.35
"""How often a clip made by a video generator is drawn, against 1 for a camera clip: it has too little noise."""


@dataclass
class Batch:
    """One training batch: N clips of T = 1 + 4n frames."""

    luma: Tensor  # [N, T, 1, S, S] in [-0.5, 0.5]
    chroma: Tensor  # [N, T, 2, S/2, S/2]
    fields: Tensor  # [N, n, 4, 3, S/8, S/8] quarter pixels and sides; zero when motion is not asked for
    captions: list[str]

    def part(self, done: int, chunks: int) -> Batch:
        """`chunks` chunks after the first `done` ones; the key frame goes with the first."""
        first, last = 1 + done * CHUNK if done else 0, 1 + (done + chunks) * CHUNK
        return Batch(self.luma[:, first:last], self.chroma[:, first:last], self.fields[:, done : done + chunks],
                     self.captions)


class Clips:
    """Random crops out of a folder made by `prepare`, and by `search_clips` for motion. Not thread-safe; seeded."""

    def __init__(self, cache: Path, seed: int = 0, device: torch.device | str = "cpu", motion: bool = True) -> None:
        self.cache, self.device = cache, torch.device(device)
        self.with_motion = motion
        self.rng = np.random.default_rng(seed)
        rows = json.loads((cache / "index.json").read_text())
        self.images = [row for row in rows if row["store"] == "images.bin"]
        self.rows = {row["offset"]: row for row in rows if row["store"] == "clips.bin"}
        self.stores = {name: _mapped(cache / name, np.uint8).to(device) for name in ("clips.bin", "images.bin")}
        self.refresh()

    def refresh(self) -> None:
        """Read which clips have been searched by now; without motion, all of every clip can be used."""
        if self.with_motion:
            self.notes = [json.loads(line) for line in (self.cache / "motion.jsonl").read_text().splitlines(True)
                          if line.endswith("\n")]
            self.motion = _mapped(self.cache / "motion.bin", np.int16).to(self.device)
        else:
            self.notes = [{"offset": row["offset"], "start": 0, "chunks": (row["frames"] - 1) // CHUNK}
                          for row in self.rows.values()]
        self._weigh()

    def apart(self, every: int = 8) -> tuple[Clips, Clips]:
        """Two like this, without `refresh`: one never draws every so manieth clip or photograph, the other draws no other.

        Raises:
            ValueError: there are too few clips.
        """
        number = {offset: at for at, offset in enumerate(sorted(self.rows))}
        found = copy.copy(self), copy.copy(self)
        for kept, clips in enumerate(found):
            clips.notes = [note for note in self.notes if (number[note["offset"]] % every == 0) == kept]
            clips.images = [row for at, row in enumerate(self.images) if (at % every == 0) == kept]
            clips.rng = np.random.default_rng((*self.rng.integers(1 << 30, size=2), kept))
            if not clips.notes:
                raise ValueError(f"too few clips are searched to keep one of {every} for measuring")
            clips._weigh()
        return found

    def _weigh(self) -> None:
        weights = np.array([GENERATED_WEIGHT if self.rows[n["offset"]]["kind"] == "generated" else 1.0
                            for n in self.notes])
        self.chances = weights / weights.sum()

    def clips(self, count: int, chunks: int, size: int) -> Batch:
        """`count` crops of 1 + 4 * chunks frames, size x size pixels (a multiple of 32), corners on the block grid."""
        lumas: list[Tensor] = []
        chromas: list[Tensor] = []
        fields: list[Tensor] = []
        captions: list[str] = []
        while len(lumas) < count:
            note = self.notes[int(self.rng.choice(len(self.notes), p=self.chances))]
            if note["chunks"] < chunks:
                continue
            row = self.rows[note["offset"]]
            first = int(self.rng.integers(0, note["chunks"] - chunks + 1))
            top, left = (int(self.rng.integers(0, (row[side] - size) // BLOCK + 1)) for side in ("height", "width"))
            start = note["start"] + first * CHUNK
            luma, chroma = self._crop(row, start, 1 + chunks * CHUNK, top * BLOCK, left * BLOCK, size)
            field = self._fields(note, row, first, chunks)[..., top : top + size // BLOCK,
                                                           left : left + size // BLOCK].float()
            if self.rng.random() < 0.5:  # mirrored: vectors turn round too
                luma, chroma, field = luma.flip(-1), chroma.flip(-1), field.flip(-1)
                field[:, :, 0] *= -1.0
            lumas.append(luma)
            chromas.append(chroma)
            fields.append(field)
            captions.append(row["caption"])
        return Batch(_levels(lumas).unsqueeze(2), _levels(chromas), torch.stack(fields), captions)

    def photographs(self, count: int, size: int) -> Batch:
        """`count` crops of photographs, as clips of one frame."""
        lumas: list[Tensor] = []
        chromas: list[Tensor] = []
        while len(lumas) < count:
            row = self.images[int(self.rng.integers(len(self.images)))]
            if min(row["height"], row["width"]) < size:
                continue
            top, left = (int(self.rng.integers(0, (row[side] - size) // 2 + 1)) * 2 for side in ("height", "width"))
            luma, chroma = self._crop(row, 0, 1, top, left, size)
            if self.rng.random() < 0.5:
                luma, chroma = luma.flip(-1), chroma.flip(-1)
            lumas.append(luma)
            chromas.append(chroma)
        fields = torch.zeros(count, 0, 4, 3, 1, 1, device=self.device)
        return Batch(_levels(lumas).unsqueeze(2), _levels(chromas), fields, [""] * count)

    def _crop(self, row: Row, start: int, frames: int, top: int, left: int, size: int) -> tuple[Tensor, Tensor]:
        height, width = row["height"], row["width"]
        area = height * width
        at = row["offset"] + start * area * 3 // 2
        record = self.stores[row["store"]][at : at + frames * area * 3 // 2].reshape(frames, -1)
        luma = record[:, :area].reshape(frames, height, width)[:, top : top + size, left : left + size]
        chroma = record[:, area:].reshape(frames, 2, height // 2, width // 2)
        return luma, chroma[:, :, top // 2 : (top + size) // 2, left // 2 : (left + size) // 2]

    def _fields(self, note: Row, row: Row, first: int, chunks: int) -> Tensor:
        shape = (note["chunks"], 4, 3, row["height"] // BLOCK, row["width"] // BLOCK)
        if not self.with_motion:
            return torch.zeros(1, 1, 1, 1, 1, device=self.device).expand(chunks, *shape[1:])
        at = note["at"] // 2
        return self.motion[at : at + math.prod(shape)].reshape(shape)[first : first + chunks]


def _mapped(path: Path, kind: type[np.generic]) -> Tensor:
    """A file as a tensor that is read where it is touched (copy-on-write, so that torch may have it)."""
    return torch.from_numpy(np.memmap(path, kind, "c"))


def _levels(crops: list[Tensor]) -> Tensor:
    return torch.stack(crops).float() / 255.0 - 0.5
