"""Coding one GOP with the onedva family: in the loop of hivae, but its integers as tokens, any prefix of which decodes.

Streams of a GOP of n chunks; H x W the padded picture:
    global.vectors, qualities, drawn, hints    as of hivae
    key.cuts [1, H/16, W/16]    of every patch: a prefix of tokens does not tell which have luma
    tokens [N, 16]              all coefficients, in planes of bits (xvcodec.codec.tokens), in pieces (SPEC.md, section 7.5):
                                of the key frame and of anchors; then a piece of what hivae has in detail.vectors; then of
                                frames between
What a decoder has of the coefficients is whole only when all tokens are there; of a prefix they are the middle of what they
may be. Frames between are lost first, which nothing depends on; without the last planes of anchors pictures drift from those
that the encoder predicted from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xvcodec.codec.analysis import Analysis
from xvcodec.codec.crossmodal import Closed, Symbols
from xvcodec.codec.cut_maps import encode_cuts
from xvcodec.codec.drawing import Drawing, decode_drawing, said
from xvcodec.codec.family import CodedGop, Guide, OpenPiece, PassStream, Piece, PieceHead, PieceStream, Planes, ReadStream
from xvcodec.codec.hivae import Chosen, HivaeCodec, HivaeSymbols
from xvcodec.codec.onedva_contexts import OnedvaContexts
from xvcodec.codec.token_contexts import TOKEN, Ints
from xvcodec.codec.token_layers import latents_of, make_layers, whole_of
from xvcodec.codec.token_pieces import Arrived, replay
from xvcodec.codec.token_progress import Progress
from xvcodec.codec.token_values import values
from xvcodec.codec.tokens import CORRECTIONS
from xvcodec.codec.told import Told
from xvcodec.models.coder import KEY_PATCH, OCTAVE
from xvcodec.models.crossmodal import CHROMA
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime

BEST, FALL = 45.2, 0.252
"""The error of a quality as areas of average worth have it: BEST dB at 0, FALL dB less for each one more (two clips,
five qualities, as drawn)."""
FARTHEST = 120.0
"""Quality that painters are told at most."""
TOO_COARSE = 2.0
"""Planes of bits without which nothing is drawn: on such pictures the flow does harm."""


def error_between(planes: Planes, other: Planes) -> float:
    """Mean squared error, a luma pixel, both chroma planes included."""
    luma, chroma = planes.luma - other.luma, planes.chroma - other.chroma
    return float((luma.square().sum() + CHROMA**2 * chroma.square().sum()) / luma.numel())


@dataclass(frozen=True)
class OnedvaSymbols(HivaeSymbols):
    """What a GOP's tokens say; `latents` have fractions where planes of bits are missing."""

    tokens: Ints = field(default_factory=lambda: np.zeros((0, TOKEN), np.int32))  # [N, TOKEN]
    missing: float = 0.0  # planes of bits of the key frame and of anchors, about


class OnedvaCodec(HivaeCodec):
    """`GopCodec` of the onedva family."""

    requirements = replace(HivaeCodec.requirements, max_gop_pixels=1 << 26, tokens=True)

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        super().__init__(model, runtime)
        contexts: OnedvaContexts = model.extras
        self.tokens = contexts.tokens

    @torch.inference_mode()
    def encode(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide) -> CodedGop:
        """Code at quality (crf) 0 to 63: all tokens, or at most `guide.tokens` of them."""
        assert isinstance(analysis, Chosen)
        closed = self.closed(planes, analysis, quality, guide)
        ahead, progress = self.begin(closed)
        pieces = progress.pieces(progress.until(guide.tokens))
        streams: list[PassStream | PieceStream] = [*ahead, *said(analysis.drawing), PieceStream("tokens", TOKEN, pieces)]

        def decoded() -> Planes:
            symbols = self.said(closed, pieces, analysis.drawing)
            parts = list(self.reconstruct(symbols, quality, guide))
            return Planes(torch.cat([part.luma for part in parts]), torch.cat([part.chroma for part in parts]))

        return CodedGop(streams, decoded)

    def begin(self, closed: Closed) -> tuple[list[PassStream], Progress]:
        """The streams of a GOP ahead of its tokens, and these, none of which is coded yet."""
        used, cuts = closed.told.used, closed.coding.cuts
        layers, members = make_layers(used, cuts.shape)
        latents = {kind: np.stack(each) for kind, each in closed.coding.rounder.latents.items()}
        vectors, corrections, *qualities = self.told(closed.told)
        whole = whole_of(layers, members, latents, used)
        progress = Progress(layers, whole, self.tokens, corrections if any(used) else None)
        return [vectors, *qualities, PassStream("key.cuts", (1, *cuts.shape), encode_cuts(cuts, None))], progress

    def said(self, closed: Closed, pieces: Sequence[Piece], drawing: Drawing) -> OnedvaSymbols:
        """What a decoder knows that has some pieces."""
        cuts = closed.coding.cuts
        return self._walk(closed.told, cuts[None], drawing, replay(pieces))

    @torch.inference_mode()
    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> OnedvaSymbols:
        """Decode every integer of a GOP of padded size height x width."""
        told = self.decode_told(frames, height, width, read)
        cuts = self.decode_cuts(None, (height // KEY_PATCH, width // KEY_PATCH), read)
        assert cuts is not None
        drawing = decode_drawing(self.module.config.hints, height, width, read)
        return self._walk(told, cuts, drawing, read.pieces("tokens", TOKEN))

    def decode_motion(self, vectors: tuple[int, int], used: list[int], read: ReadStream) -> Ints:
        """Of anchors: corrections come among the tokens."""
        return self.decode_anchors(vectors, used, read)

    def _walk(self, told: Told, cuts: Ints, drawing: Drawing,
              pieces: Sequence[tuple[PieceHead, OpenPiece]]) -> OnedvaSymbols:
        layers, members = make_layers(told.used, cuts.shape[1:])
        arrived = Arrived(layers, told.fields, told.used, self.tokens, self.fields)
        for piece, opened in pieces:
            arrived.take(piece, opened)
        latents: dict[str, NDArray[Any]] = latents_of(layers, members, [values(layer) for layer in layers], told.used)
        tokens = np.concatenate([np.zeros((0, TOKEN), np.int32), *arrived.rows])
        missing = max(0, CORRECTIONS - 1 - arrived.walk.level) / 2.0
        return OnedvaSymbols(told.frames, arrived.fields, told.levels, latents, cuts, drawing, tokens, missing)

    def integers(self, symbols: Symbols) -> dict[str, Ints]:
        """Every array of a GOP by the name of its stream; corrections of motion have the name that they have in hivae."""
        assert isinstance(symbols, OnedvaSymbols)
        found = super().integers(symbols)
        return {name: array for name, array in found.items() if name not in self.names.values()} | {"tokens": symbols.tokens}

    def seen(self, symbols: Symbols, quality: float) -> float:
        """Quality that painters are told: coarser by a doubling of steps for each plane that is missing."""
        assert isinstance(symbols, OnedvaSymbols)
        return min(FARTHEST, super().seen(symbols, quality) + OCTAVE * symbols.missing)

    def drawn(self, symbols: HivaeSymbols) -> float:
        """How much is added of what the flow draws: nothing where too much is missing."""
        assert isinstance(symbols, OnedvaSymbols)
        return 0.0 if symbols.missing >= TOO_COARSE else super().drawn(symbols)

    def usual_error(self, quality: float) -> float:
        """Mean squared error, see `error_between`, that files of a quality (crf) have, about."""
        return float(10.0 ** ((FALL * self.nominal(quality) - BEST) / 10.0))
