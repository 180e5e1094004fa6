"""Fit onedva's token contexts to clips: networks of flags and signs by gradient, other tables by counting.

    python tools/fit_tokens.py runs/cache -o fitted.safetensors --clips 160     # a cache made by xvc train

Crops of the cache's clips are coded in the loop of hivae, at random qualities and for both tunes, and their integers are
walked as tokens. A part of them is kept to print what they take: with the passes of crossmodal's coefficients, and as tokens
with contexts by formula, with those shipped, and with the fitted ones. The file that comes out is for `OnedvaFamily.fitted`,
so for training and for `xvcodec.training.bake.bake`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from xvc_bitstream.coders.base import bits

from xvcodec.codec.analysis import analyse
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.family import Planes
from xvcodec.codec.session import Session
from xvcodec.codec.shifts import Prices
from xvcodec.codec.token_contexts import REACH, Ints, TokenContexts
from xvcodec.codec.token_layers import make_layers, whole_of
from xvcodec.codec.token_network import CHANCES
from xvcodec.codec.token_progress import Progress
from xvcodec.codec.token_values import Truth
from xvcodec.codec.tokens import Asked
from xvcodec.models.weights import load_model, shipped
from xvcodec.options import TUNES
from xvcodec.runtime.memory import keep_freed_memory
from xvcodec.training.data import Clips
from xvcodec.training.fit_tokens import Survey

KEPT = 8
"""Every so manieth clip is kept for measuring."""
QUALITIES = (34.0, 62.0)
"""How fine clips are coded, crf."""
CHUNKS, SIDES = (3, 6), (192, 256)
"""Chunks of a clip, at least and at most, and sides of its pictures."""


@dataclass(frozen=True)
class Coded:
    """The integers of a clip."""

    used: list[int]  # frames between the anchors of each chunk
    latents: dict[str, NDArray[np.int32]]
    passes: float  # bits of the latents as crossmodal's streams

    def walk(self, contexts: TokenContexts, survey: Survey | None = None) -> float:
        """Bits of its tokens; `survey` notes all of them."""
        layers, members = make_layers(self.used, self.latents["key"].shape[2:])
        progress = Progress(layers, whole_of(layers, members, self.latents, self.used), contexts)
        if survey is not None:
            progress.truth = noted(progress.truth, survey)  # type: ignore[assignment]
        return sum(scan.bits for scan in progress.scans[: progress.until()])


def noted(truth: Truth, survey: Survey) -> Callable[[Asked], Ints]:
    """What answers as `truth` does, and tells the survey."""
    def answer(asked: Asked) -> Ints:
        known = None if asked.part is None else asked.layer.known[asked.patches, asked.token, asked.part]
        symbols = truth(asked)
        survey.note(asked, symbols, known)
        return symbols

    return answer


@torch.inference_mode()
def coded(session: Session, clips: Clips, count: int) -> Iterator[Coded]:
    """Clips as the loop of the session's model codes them, each with one search for its motion."""
    codec, guide = session.codec, session.guidance("")
    assert isinstance(codec, CrossmodalCodec)
    for _ in range(count):
        batch = clips.clips(1, int(clips.rng.integers(CHUNKS[0], CHUNKS[1] + 1)), int(clips.rng.choice(SIDES)))
        planes, quality = Planes(batch.luma[0], batch.chroma[0]), float(clips.rng.uniform(*QUALITIES))
        analysis = analyse(planes.luma.float(), codec.nominal(quality), codec.between(quality),
                           str(clips.rng.choice(TUNES)) == "perceptual")
        closed = codec.closed(planes, analysis, quality, guide)
        spent = sum(bits(*each, stream.tables or codec.tables) for stream in closed.coding.streams(codec.names)
                    if stream.name in codec.names.values() for each in stream.passes)
        latents = {kind: np.stack(each) for kind, each in closed.coding.rounder.latents.items()}
        yield Coded(closed.told.used, latents, spent)


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def main() -> None:
    """Fit, compare and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="hivae", help="model that codes the clips: a name or a weights file")
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--steps", type=int, default=6000, help="steps of the optimiser, a network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    keep_freed_memory()
    session = Session.open(load_model(given.model), "constriction", None, "torch", given.device)
    found = list(coded(session, Clips(given.cache, given.seed, motion=False), given.clips))
    known, others = [clip for at, clip in enumerate(found) if at % KEPT], found[::KEPT]
    say(f"{len(others)} of {len(found)} clips are kept: {sum(clip.passes for clip in others) / 8:.0f} bytes of passes")
    formula, survey = TokenContexts.default(), Survey(given.seed)
    for clip in known:
        clip.walk(formula, survey)
    fitted = survey.fitted(Prices(formula.tables).bits[:CHANCES, REACH : REACH + 2], given.steps, say)
    ways = {"by formula": formula, "fitted": fitted}
    if "onedva" in shipped():
        ways["as shipped"] = load_model("onedva").extras.tokens
    for name, contexts in ways.items():
        say(f"tokens {name}: {sum(clip.walk(contexts) for clip in others) / 8:.0f} bytes")
    save_file(fitted.to_tensors(), given.output)


if __name__ == "__main__":
    main()
