"""Coding the tokens of a GOP, and the corrections of motion among them, as far as anybody asks: the encoder's walk, and what
each step costs."""

from __future__ import annotations

from dataclasses import dataclass

from xvc_bitstream.coders.base import bits as bits_of
from xvc_bitstream.tables import TableSet

from xvcodec.codec.family import PassStream, Piece
from xvcodec.codec.shifts import Prices
from xvcodec.codec.token_contexts import REACH, Bytes, Ints, TokenContexts
from xvcodec.codec.token_layers import Layer
from xvcodec.codec.token_values import Truth
from xvcodec.codec.tokens import CORRECTIONS, Asked, Walk

PIECE_BITS = 6000.0
"""About the size of a piece."""


@dataclass(frozen=True)
class Scan:
    """A step of the walk as coded, or all corrections of motion, whose level is CORRECTIONS."""

    level: int
    tokens: int
    bits: float
    passes: list[tuple[Ints, Bytes]]
    tables: TableSet


class Progress:
    """The coding of a GOP, as far as it has been asked for: scans are added while qualities are tried.

    Args of the constructor:
        whole: the tokens of each layer, int32 [patches, tokens, TOKEN].
        corrections: of motion, where there are frames between anchors.
    """

    def __init__(self, layers: list[Layer], whole: list[Ints], contexts: TokenContexts,
                 corrections: PassStream | None = None) -> None:
        self.truth, self.walk, self.prices = Truth(layers, whole), Walk(layers, contexts), Prices(contexts.tables)
        self.scans: list[Scan] = []
        self.ended = False
        self._corrections = corrections  # until their turn has come

    def more(self) -> bool:
        """Code one more scan, or the corrections; False when nothing is left."""
        if self._corrections is not None and self.walk.anchored:
            self._correct(self._corrections)
            return True
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
        self.scans.append(Scan(self.walk.level, self.walk.tokens - before, bits, passes, self.walk.contexts.tables))
        return True

    def _correct(self, stream: PassStream) -> None:
        assert stream.tables is not None
        spent = sum(bits_of(*each, stream.tables) for each in stream.passes)
        self.scans.append(Scan(CORRECTIONS, 0, spent, stream.passes, stream.tables))
        self._corrections = None

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
        """The first `count` scans in pieces of about PIECE_BITS, the corrections, however large, in one of their own."""
        pieces: list[list[Scan]] = []
        for scan in self.scans[:count]:
            apart = not pieces or CORRECTIONS in (scan.level, pieces[-1][-1].level)
            if apart or sum(each.bits for each in pieces[-1]) > PIECE_BITS:
                pieces.append([])
            pieces[-1].append(scan)
        return [Piece(each[-1].level, 0 if each[0].level == CORRECTIONS else len(each), sum(scan.tokens for scan in each),
                      [one for scan in each for one in scan.passes], each[0].tables) for each in pieces]
