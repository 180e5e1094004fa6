"""Clips as a decoder has them before it paints, coded once by the real codec of a family and kept in a folder.

`coded-<family>.bin` holds pictures of `SIZE` x `SIZE` pixels as 4:2:0 levels (uint8), of each GOP first all sources, then
all decoded ones; `coded-<family>.jsonl` has a line for each GOP. Training may begin while more are coded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xvcodec.codec.drawing import LOOKED_AT
from xvcodec.codec.family import Planes
from xvcodec.models.painter import halves
from xvcodec.training.data import Clips

SIZE, CHUNKS = 256, 6
"""Side of the crops that are coded, and chunks of four frames in each: GOPs of 25 frames."""
PIXELS = SIZE * SIZE
STRIDE = 32
"""Crops begin where a square of 2x2 areas of hints does."""
KEPT = 10
"""Every so manieth clip, and whatever is coded of it, is kept for measuring."""
Coded = Callable[[Planes, np.random.Generator], list[tuple[Planes, float]]]
"""Codes a clip: ways in which a decoder may have it, and for each the quality that painters are told (crf)."""


@torch.inference_mode()
def code_clips(coded: Coded, clips: Clips, folder: Path, name: str, count: int) -> None:
    """Code crops of clips until a folder holds enough.

    Args:
        coded: see `Coded`. clips: their generator begins anew, by what is there already.
        name: of the family. count: GOPs; a clip in two ways is two of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notes = _notes(folder, name)
    done, clip = len(notes), notes[-1]["clip"] + 1 if notes else 0
    clips.rng = np.random.default_rng((done, 5))
    known, kept = clips.apart(KEPT)
    with open(folder / f"coded-{name}.bin", "ab") as sink, open(folder / f"coded-{name}.jsonl", "a") as log:
        while done < count:
            batch = (known if clip % KEPT else kept).clips(1, CHUNKS, SIZE)
            planes = Planes(batch.luma[0], batch.chroma[0])
            for decoded, quality in coded(planes, clips.rng):
                note = {"at": sink.tell(), "frames": len(planes.luma), "quality": quality, "caption": batch.captions[0],
                        "clip": clip}
                for each in (planes, decoded):
                    values = torch.cat((each.luma.flatten(1), each.chroma.flatten(1)), dim=1)
                    sink.write(((values + 0.5) * 255.0).round().clamp(0.0, 255.0).to(torch.uint8).numpy().tobytes())
                sink.flush()
                print(json.dumps(note), file=log, flush=True)
                done += 1
            clip += 1


def _notes(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / f"coded-{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(frozen=True)
class Pairs:
    """2 N pictures, each followed by the one after it, and what the encoder looks at to tell about their GOPs."""

    truth: Tensor  # [2 N, 6, S/2, S/2] as `halves` gives them
    decoded: Tensor
    looks_truth: Tensor  # [N LOOKED_AT, 6, S/2, S/2], the same part of other pictures
    looks_decoded: Tensor
    quality: Tensor  # [2 N] that painters are told
    captions: list[str]


class CodedClips:
    """Pictures out of such a folder."""

    def __init__(self, folder: Path, name: str, kept: bool = False) -> None:
        """Those of a family, by name; `kept` takes the GOPs that never train."""
        self.notes = [note for note in _notes(folder, name) if (note["clip"] % KEPT == 0) == kept]
        self.store = np.memmap(folder / f"coded-{name}.bin", np.uint8, "r")

    def draw(self, count: int, size: int, rng: np.random.Generator) -> Pairs:
        """Crops of `count` pairs of neighbouring pictures, size x size pixels (a multiple of 32), mirrored at random."""
        found: list[list[Tensor]] = []
        quality: list[float] = []
        captions: list[str] = []
        for _ in range(count):
            note = self.notes[int(rng.integers(len(self.notes)))]
            first = int(rng.integers(note["frames"] - 1))
            looks = rng.integers(note["frames"], size=LOOKED_AT).tolist()
            top, left = (int(rng.integers((SIZE - size) // STRIDE + 1)) * STRIDE for _ in range(2))
            mirrored = rng.random() < 0.5
            found.append([self._crop(note, which, pictures, (top, left, size), mirrored)
                          for pictures in ([first, first + 1], looks) for which in range(2)])
            quality += [note["quality"]] * 2
            captions += [note["caption"]] * 2
        truth, decoded, looks_truth, looks_decoded = (torch.cat(each) for each in zip(*found, strict=True))
        return Pairs(truth, decoded, looks_truth, looks_decoded, torch.tensor(quality), captions)

    def _crop(self, note: dict[str, Any], which: int, pictures: list[int], part: tuple[int, int, int],
              mirrored: bool) -> Tensor:
        """A part (top, left, size) of some pictures of a GOP, sources (0) or decoded (1)."""
        top, left, size = part
        record = PIXELS * 3 // 2
        at = [note["at"] + (which * note["frames"] + picture) * record for picture in pictures]
        levels = np.stack([self.store[each : each + record] for each in at])
        values = torch.from_numpy(levels.astype(np.float32)) / 255.0 - 0.5
        luma = values[:, :PIXELS].view(-1, 1, SIZE, SIZE)[..., top : top + size, left : left + size]
        chroma = values[:, PIXELS:].view(-1, 2, SIZE // 2, SIZE // 2)
        chroma = chroma[..., top // 2 : (top + size) // 2, left // 2 : (left + size) // 2]
        return halves(luma.flip(-1), chroma.flip(-1)) if mirrored else halves(luma, chroma)
