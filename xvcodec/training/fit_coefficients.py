"""Contexts of coefficients, fitted to symbols: the weights of sums by gradient, then a table for each bucket of sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from xvc_bitstream.tables import TableSet

from xvcodec.codec.coefficient_contexts import (
    AROUND,
    BUCKETS,
    CLASSES,
    EDGES,
    LIMIT,
    TOP,
    UNIT,
    CoefficientContexts,
    layout,
)
from xvcodec.codec.quantise import SKIP
from xvcodec.models.crossmodal import Crossmodal
from xvcodec.models.integer import TABLES
from xvcodec.models.layers import KNOTS, QUALITIES, Knots
from xvcodec.models.quincunx import STEPS
from xvcodec.models.steps import KINDS
from xvcodec.training.fit_symbols import LARGE, Rows, tensors
from xvcodec.training.rate import REACH, laplace_tables, size_bits

RATE, BATCH = 2e-2, 384
RARE = 0.003
"""A bucket in which fewer symbols than this differ from zero has no table: all of its symbols become zero."""
LEND = 0.1
"""A bucket lends this share of its counts to each of its neighbours: some have seen little."""
GEOMETRIC, POOLED = 20.0, 40.0
"""To what was counted come so many symbols of a geometric distribution, and of the bucket in all classes."""
Floats = NDArray[np.float64]


class Weights(nn.Module):
    """The weights of `CoefficientContexts` as gradients can move them: positive by softplus, in sizes."""

    def __init__(self, patch: int, pictures: int) -> None:
        super().__init__()
        self.patch, self.pictures = patch, pictures
        its = layout(patch, pictures)
        count = its.classes.size
        self.near = [torch.from_numpy(each) for each in (its.around, its.plane)]
        self.mine = [torch.from_numpy(each) for each in (its.lower, its.farther, its.earlier, its.latest)]

        def start(*weights: float) -> nn.Parameter:
            return nn.Parameter(torch.tensor(weights).expm1().log().unsqueeze(1).repeat(1, count))

        self.around, self.own, self.other = (start(0.08, 0.02, 0.002), start(0.06, 0.02, 0.002, 0.01),
                                             start(0.05, 0.01, 0.002))
        self.louder = nn.Parameter(torch.zeros(STEPS - 1, AROUND, 1))  # neighbours are nearer at each step
        self.bias = Knots(torch.full((KNOTS, count), math.log(math.expm1(0.01))))

    def forward(self, near: Tensor, own: Tensor, other: Tensor, step: Tensor, quality: Tensor) -> Tensor:
        """Mean sizes [M, L] > 0, given what `Rows` holds."""
        around = F.pad(self._around(), (0, 0, 0, 0, 1, 0))[step]
        expected = self._bias(quality) + sum(m * around[:, i] for i, m in enumerate(self._features(near)))
        expected = expected + sum(m * w for m, w in zip(self._features(other), F.softplus(self.other), strict=True))
        mine = zip(self.mine, F.softplus(self.own), strict=True)
        return expected + sum(own @ matrix * weight for matrix, weight in mine)

    def _features(self, sizes: Tensor) -> tuple[Tensor, ...]:
        return sizes, sizes @ self.near[0], sizes @ self.near[1]

    def _around(self) -> Tensor:
        return F.softplus(self.around + self.louder)

    def _bias(self, quality: Tensor) -> Tensor:
        return F.softplus(self.bias(quality)[:, :, 0, 0]) + 1e-4

    @torch.no_grad()
    def whole(self, tables: NDArray[np.uint8]) -> CoefficientContexts:
        """The same as integers."""
        bias = self._bias(torch.arange(QUALITIES) + 0.5)
        arrays = (bias, self._around(), F.softplus(self.own), F.softplus(self.other))
        scale = (0.99 * LIMIT / UNIT / self._most(*arrays)).clamp_max(1.0)  # where weights hardly matter they may run away
        whole = [(array * scale * UNIT).round().int().numpy() for array in arrays]
        return CoefficientContexts(self.patch, self.pictures, whole[0], whole[1], whole[2], whole[3], tables)


    def _most(self, bias: Tensor, around: Tensor, own: Tensor, other: Tensor) -> Tensor:
        """The largest sum that each channel could have, [L]."""
        near = torch.stack([torch.ones_like(bias[0]), *(matrix.sum(0) for matrix in self.near)])
        mine = torch.stack([matrix.sum(0) for matrix in self.mine])
        beside = 4 * (around * near).sum(1).amax(0) + 2 * (other * near).sum(0)
        return bias.amax(0) + TOP * (beside + (own * mine).sum(0))


def fit_weights(rows: Rows, patch: int, pictures: int, steps: int, report: Callable[[str], None]) -> Weights:
    """Weights under which the symbols of some rows take fewest bits if their sizes are geometric."""
    weights = Weights(patch, pictures)
    optimiser = torch.optim.Adam(weights.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    spent = 0.0
    for number in range(1, steps + 1):
        near, own, other, size, step, quality, weight = tensors(rows[torch.randint(len(rows.step), (BATCH,)).numpy()])
        cost = size_bits(size, weights(near, own, other, step, quality)).sum(1)
        loss = (cost * weight).sum() / weight.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        spent += loss.item()
        if number % 400 == 0:
            report(f"  step {number}: {spent / 400:.2f} bits a patch")
            spent = 0.0
    return weights


def _buckets(rows: Rows, contexts: CoefficientContexts) -> Iterator[tuple[Rows, NDArray[np.intp]]]:
    """Rows, some at a time, and the bucket of each symbol [M, L], as the codec sums."""
    around, own, other = contexts.matrices()
    order = np.argsort(rows.step, kind="stable")
    bounds = np.searchsorted(rows.step[order], np.arange(STEPS + 1))
    for number, (first, last) in enumerate(pairwise(bounds)):
        for at in range(first, last, 4096):
            part = rows[order[at : min(at + 4096, last)]]
            sums = contexts.bias[part.quality.astype(np.intp)] + part.own @ own + part.other @ other
            if number:
                sums = sums + part.near @ around[number - 1]
            yield part, np.searchsorted(EDGES, sums, side="right")


def count(rows: Rows, contexts: CoefficientContexts) -> Floats:
    """How many symbols of each class and bucket have each size, [CLASSES, BUCKETS, LARGE + 1]."""
    counts = np.zeros((CLASSES, BUCKETS, LARGE + 1))
    for part, bucket in _buckets(rows, contexts):
        classes = np.broadcast_to(contexts.layout.classes, bucket.shape)
        np.add.at(counts, (classes, bucket, part.size), np.broadcast_to(part.weight[:, None], bucket.shape))
    return counts


def tables_of(counts: Floats) -> tuple[TableSet, NDArray[np.uint8]]:
    """The Laplace tables and behind them one for each class and bucket; and their numbers [CLASSES, BUCKETS], 0 to skip."""
    lent = counts.copy()
    lent[:, 1:] += LEND * counts[:, :-1]
    lent[:, :-1] += LEND * counts[:, 1:]
    mean = np.append(EDGES, EDGES[-1])[:, None] / UNIT
    geometric = (mean / (1.0 + mean)) ** np.arange(LARGE + 1) / (1.0 + mean)
    pooled = counts.sum(0) / np.maximum(counts.sum((0, 2)), 1.0)[:, None]
    chance = lent + GEOMETRIC * geometric + POOLED * pooled
    chance /= chance.sum(2, keepdims=True)
    sides = chance[:, :, 1 : REACH + 1] / 2
    rows = np.concatenate([sides[:, :, ::-1], chance[:, :, :1], sides, np.maximum(chance[:, :, -1:], 1e-7)], 2)
    fitted = TableSet.from_probabilities(rows.reshape(CLASSES * BUCKETS, -1), -REACH)
    tables = TableSet(np.concatenate([laplace_tables().cdf, fitted.cdf]), -REACH)
    index = TABLES + np.arange(CLASSES * BUCKETS).reshape(CLASSES, BUCKETS)
    return tables, np.where(1.0 - chance[:, :, 0] < RARE, 0, index).astype(np.uint8)


def measure(rows: Rows, contexts: CoefficientContexts, tables: TableSet) -> float:
    """Mean bits of a patch; symbols with a skipped table count nothing."""
    cost = 16.0 - np.log2(tables.frequencies[:, REACH:])  # of sizes; an escape is taken to cost no more than its entry
    cost[:SKIP] = 0.0
    spent = [float((cost[contexts.tables[contexts.layout.classes, bucket], part.size].sum(1) * part.weight).sum())
             for part, bucket in _buckets(rows, contexts)]
    return sum(spent) / float(rows.weight.sum())


def fit_coefficients(model: Crossmodal, rows: Mapping[str, Rows], steps: int,
                     report: Callable[[str], None]) -> tuple[dict[str, CoefficientContexts], TableSet]:
    """Contexts of every kind of picture and the tables that they name."""
    weights = {}
    for kind in KINDS:
        coder = getattr(model, kind)
        report(f"{kind}: {len(rows[kind].step)} patches")
        weights[kind] = fit_weights(rows[kind], coder.patch, coder.pictures, steps, report)
    empty = np.zeros((CLASSES, BUCKETS), np.uint8)
    tables, index = tables_of(np.sum([count(rows[kind], each.whole(empty)) for kind, each in weights.items()], axis=0))
    return {kind: each.whole(index) for kind, each in weights.items()}, tables
