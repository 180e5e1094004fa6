"""Train the filters of a crossmodal model's predicted pictures, and write them as a state for `with_filters`.

Clips are coded by the real codec in closed loop, whole GOPs of 29 frames at random qualities, and the filters are fitted to
what it decodes; then again with the new filters in the loop. Filters of the model's own sizes are trained on; others begin
at no change. After every round the gain is printed on GOPs that are kept for measuring, also by chunk: one that grows old
along a GOP would show there.

    python tools/fit_filters.py CACHE -o filters.safetensors [--model crossmodal] [--anchor 48,4] [--between 48,4]
    python tools/fit_filters.py CACHE -o filters.safetensors --model hivae --between 64,1 --single --rate 1e-3
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from xvcodec.errors import XvcError
from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.hivae import Hivae
from xvcodec.models.weights import load_model
from xvcodec.runtime.memory import keep_freed_memory
from xvcodec.training.data import Clips
from xvcodec.training.filter_samples import KINDS, Samples, record
from xvcodec.training.filter_states import save_filters, with_sizes
from xvcodec.training.fit_filters import fit, gains

CHUNKS = 7
"""Of four frames, in the GOPs that are coded: what the cache's motion was searched for."""
MEASURED = 40
"""Pictures of each kind that gains are measured on."""


def size(text: str) -> tuple[int, int]:
    """"64,1" -> channels and blocks."""
    width, blocks = (int(part) for part in text.split(","))
    if not (1 <= width <= 512 and 0 <= blocks <= 16):
        raise ValueError
    return width, blocks


def report(kind: str, module: Crossmodal, kept: Samples) -> None:
    """Print what a filter brings on the samples kept for measuring."""
    found = list(gains(getattr(module, kind).refiner, kept[torch.linspace(0, len(kept) - 1, MEASURED).long()]))
    chunks = sorted({chunk for chunk, _ in found})
    each = " ".join(f"{np.mean([gain for chunk, gain in found if chunk == of]):+.3f}" for of in chunks)
    mean = np.mean([gain for _, gain in found])
    print(f"{kind}: {mean:+.3f} dB on pictures kept for measuring; by chunk {each}", flush=True)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="folder made by preparing and searching clips, 7 chunks of each")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file for the filters (.safetensors)")
    parser.add_argument("--model", default="crossmodal", help="model whose filters they are: a name or a weights file")
    parser.add_argument("--anchor", type=size, default=(48, 4), help="channels and blocks of the filter of anchors")
    parser.add_argument("--between", type=size, default=(48, 4), help="and of that of frames between")
    parser.add_argument("--coarse", action="store_true", help="that of anchors at a quarter of the resolution")
    parser.add_argument("--single", action="store_true", help="that of frames between, too, and without both predictions")
    parser.add_argument("--rounds", type=int, default=3, help="of coding clips and fitting")
    parser.add_argument("--gops", type=int, default=50, help="GOPs coded in each round")
    parser.add_argument("--kept", type=int, default=8, help="GOPs coded in each round for measuring")
    parser.add_argument("--steps", type=int, default=3000, help="of the optimiser, for each filter and round")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate of the first round; later half of it")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(options.seed)
    try:
        model = load_model(options.model)
        sizes = {"anchor": options.anchor, "between": options.between}
        assert isinstance(model.module, Crossmodal)
        module = with_sizes(model.module, sizes, not options.coarse, not options.single)
        known, others = Clips(options.cache, options.seed, motion=not isinstance(model.module, Hivae)).apart()
    except (XvcError, OSError, ValueError) as error:
        print(f"fit_filters: {error}")
        return 1
    gathered = list[dict[str, Samples]]()
    model = replace(model, module=module)
    for number in range(options.rounds):
        gathered.append(record(model, known, options.gops, CHUNKS))
        kept = record(model, others, options.kept, CHUNKS)
        for kind in KINDS:
            samples = Samples.joined([each[kind] for each in gathered])
            print(f"round {number + 1}, {kind}: {len(samples)} pictures", flush=True)
            fit(getattr(module, kind).refiner, samples, options.steps, options.rate / min(number + 1, 2),
                options.seed + number, lambda line: print(line, flush=True))
            report(kind, module, kept[kind])
        save_filters(module, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
