"""Coding the tokens of a GOP as far as anybody asks: the encoder's walk, and what each step costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.family import Piece
from xvcodec.codec.token_contexts import PLANES, REACH, Bytes, Ints, TokenContexts
from xvcodec.codec.tokens import Asked, Layer, Truth, Walk

PIECE_BITS = 6000.0
"""About the size of a piece."""


@dataclass(frozen=True)
class Scan:
    """A step of the walk as coded."""

    level: int
    tokens: int
    bits: float
    passes: list[tuple[Ints, Bytes]]

    @property
    def plane(self) -> int:
        """Its plane of bits."""
        return PLANES - 1 - self.level // 2


class Progress:
    """The coding of a GOP, as far as it has been asked for: scans are added while qualities are tried.

    Args of the constructor:
        coefficients: of each layer, float32 [patches, tokens, TOKEN], in units of the finest step.
        cost: bits of every symbol, [tables, symbols].
    """

    def __init__(self, layers: list[Layer], coefficients: list[NDArray[np.float32]], contexts: TokenContexts,
                 cost: NDArray[np.float64]) -> None:
        self.coefficients = coefficients
        whole = [np.fix(each).astype(np.int32) for each in coefficients]
        top = (1 << PLANES) - 1
        self.truth = Truth(layers, [np.clip(each, -top, top) for each in whole])
        self.layers, self.walk, self.cost = layers, Walk(layers, contexts), cost
        self.scans: list[Scan] = []
        self.ended = False

    def more(self) -> bool:
        """Code one more scan; False when nothing is left."""
        passes: list[tuple[Ints, Bytes]] = []
        bits = 0.0

        def take(asked: Asked, table: Bytes) -> Ints:
            nonlocal bits
            symbols = self.truth(asked)
            passes.append((symbols, table))
            bits += float(self.cost[table, symbols + REACH].sum())
            return symbols

        before = self.walk.tokens
        if self.ended or not self.walk.scan(take):
            self.ended = True
            return False
        self.scans.append(Scan(self.walk.level, self.walk.tokens - before, bits, passes))
        return True

    def until(self, plane: int, tokens: int | None = None) -> int:
        """How many scans there are down to the end of a plane of bits, or with at most so many tokens; one at least."""
        count = total = 0
        while count < len(self.scans) or self.more():
            scan = self.scans[count]
            total += scan.tokens
            if scan.plane < plane or (tokens is not None and total > tokens):
                break
            count += 1
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
