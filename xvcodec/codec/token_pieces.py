"""Reading the pieces of a GOP, as many as there are: tokens of anchors, corrections of motion, tokens of frames between."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from xvc_bitstream.errors import DamagedError
from xvc_bitstream.tables import TableSet

from xvcodec.codec.family import OpenPiece, Piece, PieceHead, ReadPass
from xvcodec.codec.field_network import FieldNetwork
from xvcodec.codec.fields import decode_fields
from xvcodec.codec.token_contexts import TOKEN, Bytes, Ints, TokenContexts
from xvcodec.codec.token_layers import Layer
from xvcodec.codec.tokens import CORRECTIONS, Asked, Walk


class Arrived:
    """What the pieces that were taken tell.

    Args of the constructor:
        fields: int32 [chunks, 4, 3, h, w], of which anchors' fields [:, 0] are known; the others count as zero until their
            piece is taken.
        used: how many frames lie between the anchors of each chunk.
        contexts, field_contexts: of tokens and of motion.
    """

    def __init__(self, layers: list[Layer], fields: Ints, used: list[int], contexts: TokenContexts,
                 field_contexts: FieldNetwork) -> None:
        self.walk, self.rows = Walk(layers, contexts), list[Ints]()  # rows: tokens, [n, TOKEN] each
        self.fields = np.zeros_like(fields)
        self.fields[:, 0] = fields[:, 0]
        self._used, self._contexts, self._corrected = used, field_contexts, not any(used)

    def take(self, piece: PieceHead, opened: OpenPiece) -> None:
        """Read the next piece. Raises DamagedError when it is not what it says, or not the one that comes next."""
        if piece.level == CORRECTIONS:
            self._correct(piece, opened)
            return
        walk, before = self.walk, self.walk.tokens
        with opened(walk.contexts.tables) as read:
            kept = _Rows(read)
            for _ in range(piece.scans):
                if not walk.scan(kept.take):
                    raise DamagedError("a piece has more scans than there are")
        if walk.tokens - before != piece.tokens or walk.level != piece.level:
            raise DamagedError("a piece does not have as many tokens as it says, or another level")
        if walk.level > CORRECTIONS and not self._corrected:
            raise DamagedError("frames between anchors come ahead of the corrections of their motion")
        self.rows += kept.rows()

    def _correct(self, piece: PieceHead, opened: OpenPiece) -> None:
        """Read the corrections of motion."""
        if self._corrected or not self.walk.anchored or piece.scans or piece.tokens:
            raise DamagedError("corrections of motion stand where there are none")
        shape = (len(self.fields), *self.fields.shape[3:])
        with opened(self._contexts.tables) as read:
            self.fields = decode_fields(shape, self._used, self._contexts, read, self.fields[:, 0])
        self._corrected = True


class _Rows:
    """Reads passes and keeps the rows of tokens that they make."""

    def __init__(self, read: ReadPass) -> None:
        self._read, self._parts = read, list[Ints]()

    def take(self, asked: Asked, table: Bytes) -> Ints:
        found: Ints = self._read(table)
        if asked.part is not None:
            self._parts.append(found.reshape(asked.patches.size, -1))
        return found

    def rows(self) -> list[Ints]:
        """Tokens, [n, TOKEN] each."""
        substeps = TOKEN // self._parts[0].shape[1] if self._parts else 1
        return [np.concatenate(self._parts[at : at + substeps], axis=1) for at in range(0, len(self._parts), substeps)]


def replay(pieces: Sequence[Piece]) -> list[tuple[Piece, OpenPiece]]:
    """Pieces that were just coded, as `ReadStream.pieces` gives them."""
    def opening(piece: Piece) -> OpenPiece:
        def opened(tables: TableSet) -> nullcontext[ReadPass]:
            symbols = iter([symbols for symbols, _ in piece.passes if symbols.size])
            return nullcontext(lambda table: next(symbols))

        return opened

    return [(piece, opening(piece)) for piece in pieces]
