"""Clips as a decoder of the hivae family has them before it paints, coded once by the real codec and kept in a folder.

`coded.bin` holds pictures of `SIZE` x `SIZE` pixels as 4:2:0 levels (uint8), of each GOP first all sources, then all decoded
ones; `coded.jsonl` has a line for each GOP. How far its anchors are apart is drawn. Training may begin while more are coded.
`symbols-N.npz` holds the integers of GOP N, for fitting contexts: of each predicted frame its vectors and its latent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.coefficients import Take
from xvcodec.codec.family import Planes
from xvcodec.codec.hivae import HivaeCodec, Known
from xvcodec.codec.hivae_chunks import TRIED
from xvcodec.codec.pyramid import Node
from xvcodec.codec.session import Session
from xvcodec.models.painter import quarters
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime
from xvcodec.training.data import Clips

SIZE, CHUNKS = 256, 6
"""Side of the crops that are coded, and chunks of four frames in each: GOPs of 25 frames."""
QUALITIES = (48.0, 63.0)
"""Clips are coded at a quality (crf) drawn from here."""
AREA = SIZE * SIZE
KEPT = 10
"""Every so manieth GOP is kept for measuring."""


class _Recorder(HivaeCodec):
    """Notes the latents that it codes."""

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        super().__init__(model, runtime)
        self.walked: dict[str, NDArray[np.int16]] = {}

    def _walk(self, node: Node, shape: tuple[int, ...], of: list[float], known: Known, take: Take) -> Ints:
        walked = super()._walk(node, shape, of, known, take)
        self.walked[f"latent.{node.frame}"] = walked.astype(np.int16)
        return walked

    def taken(self) -> dict[str, NDArray[np.int16]]:
        """Latents [h * w, L] since the last call."""
        taken, self.walked = self.walked, {}
        return taken


@torch.inference_mode()
def code_clips(model: LoadedModel, clips: Clips, folder: Path, count: int) -> None:
    """Code crops of clips until the folder holds `count` GOPs."""
    session = Session.open(model, "constriction", None, "torch", "cpu")
    codec, guide = _Recorder(model, session.runtime), session.guidance("")
    folder.mkdir(parents=True, exist_ok=True)
    done = len(_notes(folder))
    clips.rng = np.random.default_rng((done, 5))
    with open(folder / "coded.bin", "ab") as sink, open(folder / "coded.jsonl", "a") as log:
        for number in range(done, count):
            batch = clips.clips(1, CHUNKS, SIZE)
            planes, quality = Planes(batch.luma[0], batch.chroma[0]), float(clips.rng.uniform(*QUALITIES))
            motion = codec.searched(planes, int(clips.rng.choice(TRIED)), quality)
            loop, _ = codec.code(planes, motion, quality, guide)
            arrays = {f"vectors.{frame}": array.astype(np.int16) for frame, array in motion.vectors.items()}
            np.savez_compressed(folder / f"symbols-{number}.npz", **arrays, **codec.taken())  # type: ignore[arg-type]
            order = range(len(planes.luma))
            decoded = Planes(*(torch.cat(each) for each in zip(*(loop.decoded[frame] for frame in order), strict=True)))
            note = {"at": sink.tell(), "chunk": motion.chunk, "quality": [loop.quality[frame] for frame in order],
                    "painted": [loop.painted_at(frame) for frame in order], "caption": batch.captions[0]}
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

    truth: Tensor  # [2 N, 24, S/4, S/4] as `quarters` gives them
    decoded: Tensor
    quality: Tensor  # [2 N] that they are painted at
    captions: list[str]


class CodedClips:
    """Pictures out of such a folder."""

    def __init__(self, folder: Path, kept: bool = False) -> None:
        """`kept` takes the GOPs that never train."""
        self.notes = [note for number, note in enumerate(_notes(folder)) if (number % KEPT == 0) == kept]
        self.store = np.memmap(folder / "coded.bin", np.uint8, "r")

    def draw(self, count: int, size: int, rng: np.random.Generator) -> Pairs:
        """Crops of `count` pairs of neighbouring pictures, size x size pixels (a multiple of 16), mirrored at random."""
        found: list[tuple[Tensor, Tensor]] = []
        quality: list[float] = []
        captions: list[str] = []
        for _ in range(count):
            note = self.notes[int(rng.integers(len(self.notes)))]
            first = int(rng.integers(len(note["quality"]) - 1))
            top, left = (int(rng.integers((SIZE - size) // 8 + 1)) * 8 for _ in range(2))
            crops = tuple(self._crop(note, which, first, top, left, size) for which in range(2))
            mirrored = rng.random() < 0.5
            found.append(tuple(crop.flip(-1) if mirrored else crop for crop in crops))  # type: ignore[arg-type]
            quality += note["painted"][first : first + 2]
            captions += [note["caption"]] * 2
        truth, decoded = (torch.cat(each) for each in zip(*found, strict=True))
        return Pairs(truth, decoded, torch.tensor(quality), captions)

    def _crop(self, note: dict[str, Any], which: int, first: int, top: int, left: int, size: int) -> Tensor:
        """Two pictures from `first` on, sources (0) or decoded (1)."""
        frames, record = len(note["quality"]), AREA * 3 // 2
        at = note["at"] + (which * frames + first) * record
        both = torch.from_numpy(self.store[at : at + 2 * record].reshape(2, record).astype(np.float32)) / 255.0 - 0.5
        luma = both[:, :AREA].view(2, 1, SIZE, SIZE)[..., top : top + size, left : left + size]
        chroma = both[:, AREA:].view(2, 2, SIZE // 2, SIZE // 2)
        half = slice(top // 2, (top + size) // 2), slice(left // 2, (left + size) // 2)
        return quarters(luma, chroma[..., half[0], half[1]])
