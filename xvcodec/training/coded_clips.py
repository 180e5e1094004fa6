"""Clips as a decoder of the hivae family has them before it paints, coded once by the real codec and kept in a folder.

`coded.bin` holds pictures of `SIZE` x `SIZE` pixels as 4:2:0 levels (uint8), of each GOP first all sources, then all decoded
ones; `coded.jsonl` has a line for each GOP. Training may begin while more are coded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xvcodec.codec.family import Planes
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.codec.session import Session
from xvcodec.models.painter import halves
from xvcodec.models.weights import LoadedModel
from xvcodec.options import TUNES
from xvcodec.training.data import Clips

SIZE, CHUNKS = 256, 6
"""Side of the crops that are coded, and chunks of four frames in each: GOPs of 25 frames."""
QUALITIES = (44.0, 62.0)
"""Clips are coded at a quality (crf) drawn from here."""
AREA = SIZE * SIZE
KEPT = 10
"""Every so manieth clip, and so manieth GOP, is kept for measuring."""


@torch.inference_mode()
def code_clips(model: LoadedModel, clips: Clips, folder: Path, count: int) -> None:
    """Code crops of clips until the folder holds `count` GOPs."""
    session = Session.open(model, "constriction", None, "torch", "cpu")
    codec, guide = session.codec, session.guidance("")
    assert isinstance(codec, HivaeCodec)
    folder.mkdir(parents=True, exist_ok=True)
    done = len(_notes(folder))
    clips.rng = np.random.default_rng((done, 5))
    known, kept = clips.apart(KEPT)
    with open(folder / "coded.bin", "ab") as sink, open(folder / "coded.jsonl", "a") as log:
        for number in range(done, count):
            batch = (known if number % KEPT else kept).clips(1, CHUNKS, SIZE)
            planes, quality = Planes(batch.luma[0], batch.chroma[0]), float(clips.rng.uniform(*QUALITIES))
            analysis = codec.analyse(planes, quality, guide, str(clips.rng.choice(TUNES)))
            decoded = codec.unpainted(planes, analysis, quality, guide).decoded()
            note = {"at": sink.tell(), "frames": len(planes.luma), "quality": codec.nominal(quality),
                    "caption": batch.captions[0]}
            for each in (planes, decoded):
                both = torch.cat((each.luma.flatten(1), each.chroma.flatten(1)), dim=1)
                sink.write(((both + 0.5) * 255.0).round().clamp(0.0, 255.0).to(torch.uint8).numpy().tobytes())
            sink.flush()
            print(json.dumps(note), file=log, flush=True)


def _notes(folder: Path) -> list[dict[str, Any]]:
    path = folder / "coded.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(frozen=True)
class Pairs:
    """2 N pictures, each followed by the one after it."""

    truth: Tensor  # [2 N, 6, S/2, S/2] as `halves` gives them
    decoded: Tensor
    quality: Tensor  # [2 N] of their GOPs
    captions: list[str]


class CodedClips:
    """Pictures out of such a folder."""

    def __init__(self, folder: Path, kept: bool = False) -> None:
        """`kept` takes the GOPs that never train."""
        self.notes = [note for number, note in enumerate(_notes(folder)) if (number % KEPT == 0) == kept]
        self.store = np.memmap(folder / "coded.bin", np.uint8, "r")

    def draw(self, count: int, size: int, rng: np.random.Generator) -> Pairs:
        """Crops of `count` pairs of neighbouring pictures, size x size pixels (a multiple of 32), mirrored at random."""
        found: list[tuple[Tensor, Tensor]] = []
        quality: list[float] = []
        captions: list[str] = []
        for _ in range(count):
            note = self.notes[int(rng.integers(len(self.notes)))]
            first = int(rng.integers(note["frames"] - 1))
            top, left = (int(rng.integers((SIZE - size) // 16 + 1)) * 16 for _ in range(2))
            mirrored = rng.random() < 0.5
            found.append(tuple(self._crop(note, which, first, top, left, size, mirrored)  # type: ignore[arg-type]
                               for which in range(2)))
            quality += [note["quality"]] * 2
            captions += [note["caption"]] * 2
        truth, decoded = (torch.cat(each) for each in zip(*found, strict=True))
        return Pairs(truth, decoded, torch.tensor(quality), captions)

    def _crop(self, note: dict[str, Any], which: int, first: int, top: int, left: int, size: int, mirrored: bool) -> Tensor:
        """Two pictures from `first` on, sources (0) or decoded (1)."""
        record = AREA * 3 // 2
        at = note["at"] + (which * note["frames"] + first) * record
        both = torch.from_numpy(self.store[at : at + 2 * record].reshape(2, record).astype(np.float32)) / 255.0 - 0.5
        luma = both[:, :AREA].view(2, 1, SIZE, SIZE)[..., top : top + size, left : left + size]
        chroma = both[:, AREA:].view(2, 2, SIZE // 2, SIZE // 2)
        chroma = chroma[..., top // 2 : (top + size) // 2, left // 2 : (left + size) // 2]
        return halves(luma.flip(-1), chroma.flip(-1)) if mirrored else halves(luma, chroma)
