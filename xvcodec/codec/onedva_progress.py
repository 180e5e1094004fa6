"""Coding the tokens of a GOP as far as anybody asks: the encoder's walk, what each step costs and what error it leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.family import Piece
from xvcodec.codec.token_contexts import PLANES, REACH, Bytes, Ints, TokenContexts
from xvcodec.codec.tokens import Asked, Layer, Truth, Walk, values

MIDDLE = (0.42, 0.48)
"""Where in its interval a coefficient is taken to be, after its first bit and after more of them."""
PIECE_BITS = 6000.0
"""About the size of a piece."""


@dataclass(frozen=True)
class Scan:
    """A step of the walk as coded."""

    level: int
    tokens: int
    bits: float
    passes: list[tuple[Ints, Bytes]]
    error: float  # what is left behind it


class Progress:
    """The coding of a GOP, as far as it has been asked for: scans are added while qualities are tried.

    Args of the constructor:
        coefficients: of each layer, float32 [patches, tokens, TOKEN], in units of STEP.
        cost: bits of every symbol, [tables, symbols].
    """

    def __init__(self, layers: list[Layer], coefficients: list[NDArray[np.float32]], contexts: TokenContexts,
                 cost: NDArray[np.float64]) -> None:
        self.coefficients = {id(layer): each for layer, each in zip(layers, coefficients, strict=True)}
        whole = [np.fix(each).astype(np.int32) for each in coefficients]
        top = (1 << PLANES) - 1
        self.truth = Truth(layers, [np.clip(each, -top, top) for each in whole])
        self.layers, self.walk, self.cost = layers, Walk(layers, contexts), cost
        self.error = float(sum(np.square(each, dtype=np.float64).sum() for each in coefficients))
        self.left = {id(layer): np.square(each).sum(-1) for layer, each in zip(layers, coefficients, strict=True)}
        self.scans: list[Scan] = []
        self.ended = False

    def more(self) -> bool:
        """Code one more scan; False when nothing is left."""
        passes: list[tuple[Ints, Bytes]] = []
        touched: list[Asked] = []
        bits = 0.0

        def take(asked: Asked, table: Bytes) -> Ints:
            nonlocal bits
            symbols = self.truth(asked)
            passes.append((symbols, table))
            bits += float(self.cost[table, symbols + REACH].sum())
            if asked.part is not None and not asked.part.start:
                touched.append(asked)
            return symbols

        before = self.walk.tokens
        if self.ended or not self.walk.scan(take):
            self.ended = True
            return False
        for asked in touched:
            layer, at = asked.layer, (asked.patches, asked.token)
            now = values(layer.known[at], layer.signs[at], layer.plane[at], 1.0, MIDDLE)
            left = np.square(self.coefficients[id(layer)][at] - now).sum(-1)
            self.error += float(left.sum() - self.left[id(layer)][at].sum())
            self.left[id(layer)][at] = left
        self.scans.append(Scan(self.walk.level, self.walk.tokens - before, bits, passes, self.error))
        return True

    def until(self, error: float, tokens: int | None) -> int:
        """How many scans leave at most so much error, or have at most so many tokens."""
        count = total = 0
        while count < len(self.scans) or self.more():
            scan = self.scans[count]
            total += scan.tokens
            if tokens is not None and total > tokens and count:
                break
            count += 1
            if tokens is None and scan.error <= error:
                break
        return max(1, count)

    def pieces(self, count: int) -> list[Piece]:
        """The first `count` scans in pieces of about PIECE_BITS."""
        pieces: list[list[Scan]] = [[]]
        for scan in self.scans[:count]:
            if sum(each.bits for each in pieces[-1]) > PIECE_BITS:
                pieces.append([])
            pieces[-1].append(scan)
        return [Piece(each[-1].level, len(each), sum(scan.tokens for scan in each), [p for scan in each for p in
        scan.passes])
                for each in pieces]
