"""Fit the tables of onedva's contexts to clips: how often what was asked under each context was not zero.

    python tools/fit_tokens.py runs/cache -o fitted.safetensors --clips 40     # a cache made by xvc train, with motion

The motion contexts come from the shipped crossmodal model; weights and biases of token contexts are those given by formula.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from xvcodec.codec.family import Planes
from xvcodec.codec.onedva import Contexts, error_of
from xvcodec.codec.onedva_bands import STEP, coefficients
from xvcodec.codec.onedva_progress import Progress
from xvcodec.codec.token_contexts import CHANCES, TokenContexts, nearest, tables
from xvcodec.codec.tokens import Asked, make_layers
from xvcodec.families.onedva import FAMILY
from xvcodec.models import lifting
from xvcodec.models.lifting import Motion, Pictures, chunks_of
from xvcodec.models.weights import load_model
from xvcodec.training.data import Clips

FITTED = ("flag_tables", "sign_tables", "scan_tables")
PRIOR = 4.0
"""A context starts as if it had been seen so often, with the chance of its table by formula."""
QUALITY = 48.0
"""How fine the clips are coded, crf."""


class Counter(Progress):
    """A walk that counts what comes of every context."""

    counts: dict[str, NDArray[np.float64]]

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


def count(planes: Planes, fields: torch.Tensor, contexts: TokenContexts, counts: dict[str, NDArray[np.float64]]) -> None:
    """Walk over a clip and count."""
    frames, _, height, width = planes.luma.shape
    motion = Motion(fields, frames)
    bands = lifting.forward(Pictures(planes.luma, planes.chroma), motion)
    layers, members = make_layers(chunks_of(frames), (height // 16, width // 16))
    progress = Counter(layers, coefficients(bands, layers, members, frames), contexts, COST)
    progress.counts, truth = counts, progress.truth

    def counted(asked: Asked) -> NDArray[np.int32]:
        known = None if asked.part is None else asked.layer.known[asked.patches, asked.token, asked.part] > 0
        symbols = truth(asked)
        progress.note(asked, symbols, known)
        return symbols

    progress.truth = counted  # type: ignore[assignment]
    progress.until(error_of(QUALITY) * frames * height * width / STEP**2, None)


COST = 16.0 - np.log2(tables().frequencies.astype(np.float64))


def main() -> None:
    """Count over clips and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--chunks", type=int, default=4)
    parser.add_argument("--size", type=int, default=192)
    given = parser.parse_args()
    torch.set_num_threads(1)
    contexts = TokenContexts.default()
    arrays = contexts.to_tensors()
    chance = 1.0 / (1.0 + np.exp(-np.linspace(-7.0, 4.0, CHANCES)))
    counts = {name: PRIOR * np.stack([1.0 - chance[arrays[name]], chance[arrays[name]]], -1) for name in FITTED}
    clips = Clips(given.cache, 1)
    for number in range(given.clips):
        batch = clips.clips(1, given.chunks, given.size)
        count(Planes(batch.luma[0], batch.chroma[0]), batch.fields[0].float(), contexts, counts)
        print(f"{number + 1} of {given.clips} clips", flush=True)
    for name in FITTED:
        arrays[name] = nearest(counts[name][..., 1] / counts[name].sum(-1))
    found = Contexts(load_model("crossmodal").extras.fields.sharp(), TokenContexts.from_tensors(arrays))
    save_file(FAMILY.extra_arrays(found), given.output)


if __name__ == "__main__":
    main()
