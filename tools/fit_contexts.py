"""Fit what chooses and makes a crossmodal model's tables: contexts of motion fields and of coefficients, and the tables.

Motion contexts see the fields that were searched for training; those of coefficients see what a model makes of training
clips, coded closed loop at random qualities. A part of the clips is kept to print what the fitted contexts cost.
The file that comes out is for `xvcodec.training.bake.bake`, and for training with it.

    python tools/fit_contexts.py CACHE -o fitted.safetensors [--model crossmodal-fast] [--gops 150] [--steps 1600]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.codec.field_network import FieldNetwork
from xvcodec.codec.session import Session
from xvcodec.families.crossmodal import FAMILY
from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.steps import KINDS
from xvcodec.models.weights import LoadedModel, arrays_of, load_model
from xvcodec.runtime.memory import keep_freed_memory
from xvcodec.training.data import Clips
from xvcodec.training.fit_coefficients import fit_coefficients, measure
from xvcodec.training.fit_field_network import fit_field_network
from xvcodec.training.fit_fields import measure_fields, searched
from xvcodec.training.fit_symbols import coded, rows_of

KEPT = 8
"""Every so manieth GOP is kept for measuring."""


def motion(cache: Path, options: argparse.Namespace) -> FieldNetwork:
    """The network of motion fields: first fitted to some clips, to print what the others cost, then to all of them."""
    fields = searched(cache, options.clips)
    known, others = [clip for at, clip in enumerate(fields) if at % KEPT], fields[::KEPT]
    first, made = (fit_field_network(clips, options.motion_steps, options.seed, lambda line: print(line, flush=True))
                   for clips in (known, fields))
    for name, network in (("fitted to other clips", first), ("by formula", FieldNetwork.default())):
        print(f"motion {name}:", measure_fields(others, network), flush=True)
    return made


def coefficients(model: LoadedModel, clips: Clips, options: argparse.Namespace) -> dict[str, np.ndarray]:
    """Contexts of coefficients and tables, as arrays of a weights file without motion contexts."""
    assert isinstance(model.module, Crossmodal)
    session = Session.open(model, "constriction", None, "torch", options.device)
    with torch.inference_mode():
        gops = list(coded(session, clips, options.gops))
    rng = np.random.default_rng(options.seed)
    known, others = (rows_of(part, options.rows, rng) for part in
                     ([gop for at, gop in enumerate(gops) if at % KEPT], gops[::KEPT]))
    latents, tables = fit_coefficients(model.module, known, options.steps, lambda line: print(line, flush=True))
    for kind in KINDS:
        was = measure(others[kind], model.extras.latents[kind], model.tables)
        now = measure(others[kind], latents[kind], tables)
        print(f"{kind}: {now:.2f} bits a patch of GOPs kept for measuring, {was:.2f} with the model's own contexts")
    return arrays_of(tables) | FAMILY.extra_arrays(CrossmodalContexts(model.extras.fields, latents))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="folder made by preparing and searching clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file for the fitted arrays")
    parser.add_argument("--model", default="crossmodal-fast", help="model that codes the clips: a name or a weights file")
    parser.add_argument("--clips", type=int, default=600, help="clips for motion contexts; 0 keeps the model's")
    parser.add_argument("--motion-steps", type=int, default=6000, help="steps of the optimiser for them")
    parser.add_argument("--gops", type=int, default=150, help="GOPs to code for contexts of coefficients")
    parser.add_argument("--rows", type=int, default=60_000, help="patches of each kind of picture to fit to")
    parser.add_argument("--steps", type=int, default=1600, help="steps of the optimiser, a kind of picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(options.seed)
    model = load_model(options.model)
    arrays = coefficients(model, Clips(options.cache, options.seed), options)
    if options.clips:
        arrays |= FAMILY.extra_arrays(CrossmodalContexts(motion(options.cache, options), FAMILY.extras(arrays).latents))
    save_file(arrays, options.output)


if __name__ == "__main__":
    main()
