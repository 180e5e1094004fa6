"""Fit what chooses hivae's tables to the integers of clips that it coded (`xvc train hivae-cpu` codes them into its cache).

    python tools/fit_hivae_contexts.py runs/hivae/cache -o fitted.safetensors [--rows 60000] [--steps 1600]

Contexts of motion fields and of coefficients of predicted pictures; those of key frames and the tables themselves stay.
Every sixth GOP is kept, to print what the fitted contexts cost there, and what the model's own did.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from xvcodec.codec.hivae import HivaeContexts
from xvcodec.families.hivae import FAMILY
from xvcodec.models.weights import arrays_of, load_model
from xvcodec.runtime.memory import keep_freed_memory
from xvcodec.training.fit_coefficients import measure
from xvcodec.training.fit_fields import fit_survey
from xvcodec.training.fit_hivae import coded_gops, cost_of_fields, fit_latents, rows_of, survey
from xvcodec.training.rate import laplace_tables

KEPT = 6


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="folder with coded.jsonl and symbols-N.npz")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file for the fitted arrays")
    parser.add_argument("--model", default="hivae", help="model that coded the clips: a name or a weights file")
    parser.add_argument("--rows", type=int, default=60_000, help="patches of each kind of picture to fit to")
    parser.add_argument("--steps", type=int, default=1600, help="steps of the optimiser, a kind of picture")
    options = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model, gops = load_model(options.model), coded_gops(options.cache)
    known, others = [gop for at, gop in enumerate(gops) if at % KEPT], gops[::KEPT]
    fields = fit_survey(survey(known), laplace_tables())
    was, now = (cost_of_fields(others, contexts, model.tables) for contexts in (model.extras.fields, fields))
    print(f"motion: {now:.5f} bits a pixel of {len(others)} GOPs kept for measuring, {was:.5f} before", flush=True)
    rows = rows_of(known, options.rows, rng)
    latents = fit_latents(rows, model.extras.latents, options.steps, lambda line: print(line, flush=True))
    for kind, kept in rows_of(others, options.rows, rng).items():
        costs = [measure(kept, contexts[kind], model.tables) for contexts in (latents, model.extras.latents)]
        print(f"{kind}: {costs[0]:.2f} bits a patch of GOPs kept for measuring, {costs[1]:.2f} before")
    save_file(arrays_of(model.tables) | FAMILY.extra_arrays(HivaeContexts(fields, latents)), options.output)


if __name__ == "__main__":
    main()
