"""Coding the tokens of a GOP as far as anybody asks: the encoder's walk, and what each step costs."""

from __future__ import annotations

from dataclasses import dataclass

from xvcodec.codec.family import Piece
from xvcodec.codec.shifts import Prices
from xvcodec.codec.token_contexts import REACH, Bytes, Ints, TokenContexts
from xvcodec.codec.token_layers import Layer
from xvcodec.codec.tokens import Asked, Truth, Walk

PIECE_BITS = 6000.0
"""About the size of a piece."""


@dataclass(frozen=True)
class Scan:
    """A step of the walk as coded."""

    level: int
    tokens: int
    bits: float
    passes: list[tuple[Ints, Bytes]]


class Progress:
    """The coding of a GOP, as far as it has been asked for: scans are added while qualities are tried.

    Args of the constructor:
        whole: the tokens of each layer, int32 [patches, tokens, TOKEN].
    """

    def __init__(self, layers: list[Layer], whole: list[Ints], contexts: TokenContexts) -> None:
        self.truth, self.walk, self.prices = Truth(layers, whole), Walk(layers, contexts), Prices(contexts.tables)
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
            bits += float(self.prices.bits[table, symbols + REACH].sum())
            return symbols

        before = self.walk.tokens
        if self.ended or not self.walk.scan(take):
            self.ended = True
            return False
        self.scans.append(Scan(self.walk.level, self.walk.tokens - before, bits, passes))
        return True

    def until(self, tokens: int | None = None) -> int:
        """How many scans there are, or with at most so many tokens; one at least."""
        count = total = 0
        while count < len(self.scans) or self.more():
            total += self.scans[count].tokens
            if tokens is not None and total > tokens:
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
        return [Piece(each[-1].level, len(each), sum(scan.tokens for scan in each),
                      [one for scan in each for one in scan.passes]) for each in pieces]
