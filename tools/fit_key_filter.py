"""Train the loop filter of key frames of a crossmodal model, and write it as a state for `with_key_filter`.

Crops of clips and photographs are coded as key frames by the real codec, at random qualities and with maps of them, and the
filter is fitted to what the model decodes before it. One of the model's own size is trained on, another begins at no change.
What it brings on crops that are kept for measuring, against none, is printed by quality.

    python tools/fit_key_filter.py CACHE -o key.safetensors [--model crossmodal] [--size 64,6]
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from fit_filters import size

from xvcodec.errors import XvcError
from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.weights import load_model
from xvcodec.runtime.memory import keep_freed_memory
from xvcodec.training.data import Clips
from xvcodec.training.filter_states import save_key_filter, with_key_size
from xvcodec.training.fit_filters import fit, gains
from xvcodec.training.key_samples import record_key_frames

BANDS = (0, 14, 28, 42, 64)
"""Qualities (crf) between which gains are printed."""


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="folder made by preparing clips and photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file for the filter (.safetensors)")
    parser.add_argument("--model", default="crossmodal", help="a name or a weights file")
    parser.add_argument("--size", type=size, default=(64, 6), help="channels and blocks of the filter")
    parser.add_argument("--crops", type=int, default=2800, help="coded")
    parser.add_argument("--kept", type=int, default=100, help="coded for measuring, of other clips and photographs")
    parser.add_argument("--steps", type=int, default=15000, help="of the optimiser")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(options.seed)
    try:
        model = load_model(options.model)
        known, others = Clips(options.cache, options.seed, motion=False).apart()
    except (XvcError, OSError, ValueError) as error:
        print(f"fit_key_filter: {error}")
        return 1
    samples, kept = record_key_frames(model, known, options.crops), record_key_frames(model, others, options.kept)
    assert isinstance(model.module, Crossmodal)
    module = with_key_size(model.module, options.size)
    network = module.key.refiner
    assert network is not None
    fit(network, samples, options.steps, options.rate, options.seed, lambda line: print(line, flush=True))
    found = list(gains(network, kept))
    for low, high in itertools.pairwise(BANDS):
        band = [gain for quality, gain in found if low <= quality < high]
        print(f"crf {low} to {high}: {np.mean(band):+.3f} dB ({len(band)} crops, least {min(band):+.3f})" if band else "")
    save_key_filter(module, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
