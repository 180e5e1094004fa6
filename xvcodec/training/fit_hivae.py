"""Contexts of hivae models, fitted to the integers of clips that `xvcodec.training.coded_clips` coded."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.coders.base import bits
from xvc_bitstream.tables import TableSet

from xvcodec.codec.coefficient_contexts import CoefficientContexts
from xvcodec.codec.coefficients import sizes_of
from xvcodec.codec.field_contexts import FieldContexts, Ints
from xvcodec.codec.hivae import Known
from xvcodec.codec.pyramid import anchors_of, details_of
from xvcodec.codec.vectors import Passes, Take, walk, writing
from xvcodec.models.crossmodal import PATCH
from xvcodec.models.warp import BLOCK
from xvcodec.training.coded_clips import SIZE
from xvcodec.training.fit_coefficients import fit_weights
from xvcodec.training.fit_fields import Key, Recorder, Survey
from xvcodec.training.fit_symbols import LARGE, Rows, drawn_rows

SIDE = SIZE // BLOCK
KINDS = ("anchor", "amid")


@dataclass(frozen=True)
class CodedGop:
    """Integers of a GOP, by frame."""

    vectors: dict[int, Ints]  # [2 or 3, h, w]
    latents: dict[int, Ints]  # [h * w, L]
    quality: list[float]  # crf of each frame
    chunk: int  # frames from one anchor to the next


def coded_gops(folder: Path) -> list[CodedGop]:
    """All GOPs of a folder whose symbols are kept."""
    found = []
    for number, line in enumerate((folder / "coded.jsonl").read_text().splitlines()):
        path = folder / f"symbols-{number}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as arrays:
                parts: dict[str, dict[int, Ints]] = {"vectors": {}, "latent": {}}
                for name in arrays.files:
                    kind, _, frame = name.partition(".")
                    parts[kind][int(frame)] = arrays[name].astype(np.int32)
            note = json.loads(line)
            found.append(CodedGop(parts["vectors"], parts["latent"], note["quality"], note["chunk"]))
    return found


def through(gop: CodedGop, contexts: FieldContexts, taking: Callable[[Ints], Take]) -> None:
    """Go over the fields of a GOP in the order of coding; `taking` makes what takes the symbols of a field [C, h * w]."""
    known, frames = Known(), len(gop.quality)
    for node in (*anchors_of(frames, gop.chunk), *details_of(frames, gop.chunk)):
        vectors = gop.vectors[node.frame]
        field = walk(SIDE, SIDE, contexts, known.earlier(node), taking(vectors.reshape(len(vectors), -1)))
        known.note(node, field, gop.latents[node.frame])


def noting(truth: Ints, residuals: list[Ints]) -> Take:
    """What appends the residuals of a field."""

    def take(component: int, places: NDArray[np.intp], prediction: Ints, tables: NDArray[np.uint8]) -> Ints:
        residuals.append(truth[component, places] - prediction)
        return residuals[-1]

    return take


def survey(gops: Sequence[CodedGop]) -> Survey:
    """What contexts of fields see, and residuals."""
    recorder = Recorder(FieldContexts.default().weights, FieldContexts.default().tables)
    features, residuals = defaultdict[Key, list[Ints]](list), defaultdict[Key, list[Ints]](list)
    for gop in gops:
        object.__setattr__(recorder, "log", [])
        taken: list[Ints] = []
        through(gop, recorder, partial(noting, residuals=taken))
        for (key, rows), own in zip(recorder.log, taken, strict=True):
            features[key].append(rows)
            residuals[key].append(own)
    return {key: (np.concatenate(features[key]), np.concatenate(residuals[key])) for key in features}


def cost_of_fields(gops: Sequence[CodedGop], contexts: FieldContexts, tables: TableSet) -> float:
    """Bits a pixel of the vectors."""
    passes = Passes()
    for gop in gops:
        through(gop, contexts, partial(writing, passes=passes))
    spent = sum(bits(symbols, index, tables) for symbols, index in passes)
    return spent / (SIZE * SIZE * sum(len(gop.quality) for gop in gops))


def rows_of(gops: Sequence[CodedGop], count: int, rng: np.random.Generator) -> dict[str, Rows]:
    """About `count` positions of each kind of predicted picture, drawn at random."""
    found: dict[str, list[tuple[NDArray[np.generic], ...]]] = {kind: [] for kind in KINDS}
    places = {"anchor": 0, "amid": 0}
    for gop in gops:
        frames = len(gop.quality)
        places["anchor"] += SIDE * SIDE * len(anchors_of(frames, gop.chunk))
        places["amid"] += SIDE * SIDE * len(details_of(frames, gop.chunk))
    for gop in gops:
        for kind, parts in _rows(gop, {kind: count / places[kind] for kind in KINDS}, rng):
            found[kind].append(parts)
    return {kind: Rows(*(np.concatenate(each) for each in zip(*parts, strict=True))) for kind, parts in found.items()}


def _rows(gop: CodedGop, share: dict[str, float],
          rng: np.random.Generator) -> Iterator[tuple[str, tuple[NDArray[np.generic], ...]]]:
    known = Known()
    for node in (*anchors_of(len(gop.quality), gop.chunk), *details_of(len(gop.quality), gop.chunk)):
        latent, kind = gop.latents[node.frame], "amid" if node.level else "anchor"
        beside, seen = known.beside(node), sizes_of(latent)
        size = np.minimum(np.abs(latent), LARGE).astype(np.uint8)
        quality = np.full(len(latent), gop.quality[node.frame], np.float32)
        for part in drawn_rows((SIDE, SIDE), size, seen, np.zeros_like(seen) if beside is None else beside, quality,
                               share[kind], rng):
            yield kind, part
        known.sizes[node.frame] = seen


def fit_latents(rows: dict[str, Rows], start: dict[str, CoefficientContexts], steps: int,
                say: Callable[[str], None]) -> dict[str, CoefficientContexts]:
    """Contexts of predicted pictures; the tables that their buckets name stay."""
    found = dict(start)
    for kind in KINDS:
        say(f"{kind}: {len(rows[kind].step)} patches")
        found[kind] = fit_weights(rows[kind], PATCH, 1, steps, say).whole(start[kind].tables)
    return found

