"""Train the loop filter of key frames of crossmodal models, and write it as a state for `with_key_filter`.

Crops of clips and photographs are coded as key frames by the real codec, at random qualities and with maps of them, and one
filter is fitted to what all models named decode before their own. It begins at no change. What it brings on crops that are
kept for measuring, against none, is printed by quality.

    python tools/fit_key_filter.py CACHE -o key.safetensors [--model crossmodal-fast crossmodal] [--size 48,5]
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from fit_filters import size

from xvcodec.errors import XvcError
from xvcodec.models.weights import load_model
from xvcodec.runtime.memory import keep_freed_memory
from xvcodec.training.data import Clips
from xvcodec.training.filter_states import save_key_filter, with_key_size
from xvcodec.training.fit_key_filter import fit_key_filter, key_gains
from xvcodec.training.key_samples import KeySamples, record_key_frames

BANDS = (0, 14, 28, 42, 64)
"""Qualities (crf) between which gains are printed."""


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="folder made by preparing clips and photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file for the filter (.safetensors)")
    parser.add_argument("--model", nargs="+", default=["crossmodal-fast", "crossmodal"], help="names or weights files")
    parser.add_argument("--size", type=size, default=(48, 5), help="channels and blocks of the filter")
    parser.add_argument("--crops", type=int, default=2800, help="coded by each model")
    parser.add_argument("--kept", type=int, default=100, help="coded by each for measuring, of other clips and photographs")
    parser.add_argument("--steps", type=int, default=15000, help="of the optimiser")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(options.seed)
    try:
        models = [load_model(name) for name in options.model]
        known, others = Clips(options.cache, options.seed, motion=False).apart()
    except (XvcError, OSError, ValueError) as error:
        print(f"fit_key_filter: {error}")
        return 1
    samples = KeySamples.joined([record_key_frames(model, known, options.crops) for model in models])
    kept = KeySamples.joined([record_key_frames(model, others, options.kept) for model in models])
    module = with_key_size(models[0].module, options.size)
    network = module.key.refiner
    fit_key_filter(network, samples, options.steps, options.rate, options.seed, lambda line: print(line, flush=True))
    found = list(key_gains(network, kept))
    for low, high in itertools.pairwise(BANDS):
        band = [gain for quality, gain in found if low <= quality < high]
        print(f"crf {low} to {high}: {np.mean(band):+.3f} dB ({len(band)} crops, least {min(band):+.3f})" if band else "")
    save_key_filter(module, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
