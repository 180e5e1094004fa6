"""Contexts of motion fields, fitted to the fields that `xvcodec.training.motion` searched."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.coders.base import bits
from xvc_bitstream.tables import TableSet

from xvcodec.codec.field_contexts import BIAS, BUCKETS, COMPONENTS, EDGES, FEATURES, HEAVIEST, ROLES, UNIT, Ints
from xvcodec.codec.fields import Contexts, FieldContexts, encode_fields, waves
from xvcodec.codec.shifts import Prices
from xvcodec.models.quincunx import STEPS
from xvcodec.models.warp import BLOCK
from xvcodec.training.rate import REACH

ROUNDS = 80  # of the multiplicative update of weights
ROWS = 200_000  # residuals that weights are fitted to, a context; tables see all of them
BLUR = np.array([0.01, 0.1, 1.0, 0.1, 0.01])  # buckets lend their counts to their neighbours: few have seen little
LARGE = 512  # counted up to this size
USUAL = 8  # sizes count up to this for weights: a few wild vectors would rule them
Key = tuple[int, int, int]  # role, component, step
Floats = NDArray[np.float64]


class Recorder(FieldContexts):
    """Contexts that note what they are asked, in the order of the symbols."""

    log: list[tuple[Key, Ints]]

    def index(self, role: int, component: int, step: int, features: Sequence[Ints | None]) -> NDArray[np.uint8]:
        """Note the features as [n, FEATURES], absent ones as 0; any table will do."""
        shape = next(feature.shape for feature in features if feature is not None)
        columns = [np.full(shape, UNIT, np.int32), *(np.zeros(shape, np.int32) if f is None else f for f in features)]
        columns += [np.zeros(shape, np.int32)] * (len(FEATURES) - len(columns))
        self.log.append(((role, component, step), np.stack(columns, -1).reshape(-1, len(FEATURES))))
        return np.zeros((2, *shape), np.uint8)


def searched(folder: Path, clips: int) -> list[Ints]:
    """Fields of the first `clips` clips (they were searched in random order), int32 [chunks, 4, 3, h, w] each."""
    index = json.loads((folder / "index.json").read_text())
    rows = {row["offset"]: row for row in index if row["store"] == "clips.bin"}
    lines = (folder / "motion.jsonl").read_text().splitlines(True)
    notes = [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be half written
    store = np.memmap(folder / "motion.bin", np.int16, "r")
    found = []
    for note in notes[:clips]:
        row = rows[note["offset"]]
        shape = (note["chunks"], 4, COMPONENTS, row["height"] // BLOCK, row["width"] // BLOCK)
        found.append(store[note["at"] // 2 :][: int(np.prod(shape))].reshape(shape).astype(np.int32))
    return found


Survey = dict[Key, tuple[Ints, Ints]]
"""Of each context the features int32 [n, FEATURES] (the bias as UNIT) and the residuals int32 [n] that were seen."""


def survey(clips: list[Ints]) -> Survey:
    """Features int32 [n, FEATURES] (the bias as UNIT) and residuals int32 [n] of each context."""
    recorder = Recorder(FieldContexts.default().weights, FieldContexts.default().tables)
    features, residuals = defaultdict(list), defaultdict(list)
    for fields in clips:
        object.__setattr__(recorder, "log", [])
        parts = [each for wave in waves(fields, [3] * len(fields), recorder) for each in wave]
        for (key, rows), (_, own) in zip(recorder.log, parts, strict=True):
            features[key].append(rows)
            residuals[key].append(own.ravel())
    return {key: (np.concatenate(features[key]), np.concatenate(residuals[key])) for key in features}


def fit_weights(features: Ints, residuals: Ints) -> Ints:
    """Weights >= 0 in 1 / UNIT under which the sum is the most likely mean of a Laplace density's size."""
    step = -(-len(residuals) // ROWS)
    known = features[::step] / np.array([UNIT, *[1] * (len(FEATURES) - 1)])
    size = np.minimum(np.abs(residuals[::step]), USUAL)
    weights: Floats = np.full(len(FEATURES), 0.1)
    for _ in range(ROUNDS):
        expected = np.maximum(known @ weights, 1e-3)
        weights *= np.sqrt((known.T @ (size / expected**2)) / np.maximum(known.T @ (1 / expected), 1e-9))
    highest = np.array([BIAS, *[HEAVIEST] * (len(FEATURES) - 1)])
    return np.minimum(np.rint(weights * UNIT), highest).astype(np.int32)


def fit_tables(buckets: NDArray[np.intp], residuals: Ints, cost: Floats) -> NDArray[np.uint8]:
    """The cheapest tables of each bucket for signs and sizes, uint8 [2, BUCKETS].

    Args:
        cost: bits of each size of a symbol, [TABLES, LARGE + 1].
    """
    sizes, moved = np.abs(residuals), residuals != 0
    folded = np.minimum(sizes[moved] // 2, LARGE)  # of the size less 1
    return np.stack([_cheapest(buckets, np.minimum(sizes, 1), cost), _cheapest(buckets[moved], folded, cost)])


def _cheapest(buckets: NDArray[np.intp], sizes: Ints, cost: Floats) -> NDArray[np.uint8]:
    """The cheapest table of each bucket for symbols of some sizes; 24, a scale of 1, where none was seen at all."""
    if not sizes.size:
        return np.full(BUCKETS, 24, np.uint8)
    counts = np.zeros((BUCKETS, LARGE + 1))
    np.add.at(counts, (buckets, sizes), 1.0)
    blurred = np.stack([np.convolve(column, BLUR, "same") for column in counts.T], axis=1)
    best = (blurred @ cost.T).argmin(axis=1)
    seen = np.flatnonzero(blurred.sum(axis=1) > 1.0)
    nearest = seen[np.abs(np.arange(BUCKETS)[:, None] - seen).argmin(axis=1)]
    return best[nearest].astype(np.uint8)


def fit_fields(clips: list[Ints], tables: TableSet) -> FieldContexts:
    """Contexts fitted to some clips."""
    return fit_survey(survey(clips), tables)


def fit_survey(seen: Survey, tables: TableSet) -> FieldContexts:
    """Contexts fitted to what was seen; those that saw nothing expect nothing."""
    entropy = 16 - np.log2(tables.frequencies)
    cost = np.concatenate([entropy[:, -tables.lowest : -1], np.repeat(entropy[:, -1:] + 16, LARGE - REACH, axis=1)], 1)
    weights = np.zeros((ROLES, COMPONENTS, STEPS, len(FEATURES)), np.int32)
    chosen = np.zeros((2, ROLES, COMPONENTS, STEPS, BUCKETS), np.uint8)
    for key, (features, residuals) in seen.items():
        weights[key] = fit_weights(features, residuals)
        sums = features[:, 1:] @ weights[key][1:] + weights[key][0]
        chosen[:, *key] = fit_tables(np.searchsorted(EDGES, sums, side="right"), residuals, cost)
    return FieldContexts(weights, chosen)


def measure_fields(clips: list[Ints], contexts: Contexts, tables: TableSet) -> str:
    """Mean bits of a vector and of a chunk."""
    spent = np.zeros(2)
    vectors = sum(fields[:, 0, 0].size for fields in clips)
    for fields in clips:
        for which, used in enumerate((0, 3)):
            kept = np.where(np.arange(4)[:, None, None, None] <= used, fields, 0)
            passes = encode_fields(kept, [used] * len(fields), contexts, Prices(tables))
            spent[which] += sum(bits(symbols, index, tables) for symbols, index in passes)
    anchor, both = spent
    chunk = both / sum(len(fields) for fields in clips)
    return (f"anchor {anchor / vectors:.3f} bits a vector, corrections {(both - anchor) / vectors / 3:.3f}, "
            f"together {chunk:.0f} bits a chunk, {both / vectors / (4 * BLOCK**2):.5f} bpp")
