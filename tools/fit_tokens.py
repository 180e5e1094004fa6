"""Fit onedva's token contexts to clips: weights and biases by likelihood, then tables by counting.

    python tools/fit_tokens.py runs/cache -o fitted.safetensors --clips 40     # a cache made by xvc train, with motion

Clips are coded three times: to keep samples for weights, with those weights to count what was not zero under each context,
and, `--check` other clips, to say what the bits are with the contexts there were and with the new ones. The motion contexts
come from the shipped crossmodal model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from xvcodec.codec.onedva import Contexts
from xvcodec.codec.onedva_bands import closed, coefficients, fineness
from xvcodec.codec.onedva_progress import Progress
from xvcodec.codec.token_contexts import CHANCES, TokenContexts, nearest, tables
from xvcodec.codec.tokens import Asked, Truth, make_layers
from xvcodec.families.onedva import FAMILY
from xvcodec.models.chain import Motion, Pictures, chunks_of
from xvcodec.models.weights import load_model
from xvcodec.training.data import Clips
from xvcodec.training.fit_tokens import Collector

FITTED = ("flag_tables", "sign_tables", "scan_tables")
PRIOR = 4.0
"""A context starts as if it had been seen so often, with the chance of its table by formula."""
QUALITIES = (46.0, 62.0)
"""How fine the clips are coded, crf."""
COST = 16.0 - np.log2(tables().frequencies.astype(np.float64))
Note = Callable[[Asked, NDArray[np.int32], NDArray[np.bool_] | None], None]


class Counter:
    """Counts what comes of every context."""

    def __init__(self, arrays: dict[str, NDArray[np.uint8]]) -> None:
        chance = 1.0 / (1.0 + np.exp(-np.linspace(-7.0, 4.0, CHANCES)))
        self.counts = {name: PRIOR * np.stack([1.0 - chance[arrays[name]], chance[arrays[name]]], -1) for name in FITTED}

    def note(self, asked: Asked, symbols: NDArray[np.int32], known: NDArray[np.bool_] | None) -> None:
        """Count symbols, of coefficients only those that were zero before."""
        name, index = asked.context
        seen = self.counts[name]
        found = (symbols != 0).reshape(np.broadcast_shapes(*(np.shape(each) for each in index)))
        every = [np.broadcast_to(each, found.shape) for each in index]
        keep = np.ones(found.shape, bool) if known is None else ~known
        for value in (0, 1):
            chosen = keep & (found == value)
            np.add.at(seen, (*(each[chosen] for each in every), value), 1.0)


class Source:
    """The same clips each time, as coefficients."""

    def __init__(self, cache: Path, clips: int, chunks: int, size: int, seed: int) -> None:
        self.cache, self.clips, self.chunks, self.size, self.seed = cache, clips, chunks, size, seed

    @torch.inference_mode()
    def walk(self, contexts: TokenContexts, note: Note | None) -> float:
        """Code all clips; returns the bits of their tokens."""
        clips, bits = Clips(self.cache, self.seed), 0.0
        for _ in range(self.clips):
            batch = clips.clips(1, self.chunks, self.size)
            frames = 1 + 4 * self.chunks
            plane, step = fineness(float(clips.rng.uniform(*QUALITIES)))
            motion = Motion(batch.fields[0].float(), frames)
            bands = closed(Pictures(batch.luma[0], batch.chroma[0]), motion, step * 2.0**plane)
            layers, members = make_layers(chunks_of(frames), (self.size // 16, self.size // 16))
            progress = Progress(layers, coefficients(bands, layers, members, motion.canvas, step), contexts, COST)
            if note is not None:
                progress.truth = noted(progress.truth, note)  # type: ignore[assignment]
            count = progress.until(plane)
            bits += sum(scan.bits for scan in progress.scans[:count])
        return bits


def noted(truth: Truth, note: Note) -> Callable[[Asked], NDArray[np.int32]]:
    """What answers as `truth` does, and tells `note`."""
    def answer(asked: Asked) -> NDArray[np.int32]:
        known = None if asked.part is None else asked.layer.known[asked.patches, asked.token, asked.part] > 0
        symbols = truth(asked)
        note(asked, symbols, known)
        return symbols

    return answer


def main() -> None:
    """Fit, compare and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--check", type=int, default=10)
    parser.add_argument("--chunks", type=int, default=4)
    parser.add_argument("--size", type=int, default=192)
    given = parser.parse_args()
    torch.set_num_threads(1)
    fitting, other = (Source(given.cache, count, given.chunks, given.size, seed)
                      for count, seed in ((given.clips, 1), (given.check, 2)))
    shipped = load_model("onedva").extras.tokens
    formula = TokenContexts.default()
    collector = Collector(formula)
    fitting.walk(formula, collector.note)
    arrays = formula.to_tensors() | collector.fitted()
    counter = Counter(arrays)
    fitting.walk(TokenContexts.from_tensors(arrays), counter.note)
    for name, counts in counter.counts.items():
        arrays[name] = nearest(counts[..., 1] / counts.sum(-1))
    made = TokenContexts.from_tensors(arrays)
    for name, contexts in (("by formula", formula), ("as shipped", shipped), ("fitted", made)):
        print(f"{name}: {other.walk(contexts, None) / 8:.0f} bytes of tokens for {given.check} other clips", flush=True)
    save_file(FAMILY.extra_arrays(Contexts(load_model("crossmodal").extras.fields.sharp(), made)), given.output)


if __name__ == "__main__":
    main()
