"""Coding one GOP with the onedva family: motion fields, and tokens in pieces that refine each other.

Streams of a GOP of n chunks: fields [n, 4, 3, H/8, W/8] (xvcodec.codec.fields) and tokens [N, 16] (xvcodec.codec.tokens, in
pieces of SPEC.md, section 6.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.family import (
    CodedGop,
    Guide,
    PassStream,
    Piece,
    PieceHead,
    PieceStream,
    Planes,
    ReadPass,
    ReadStream,
    Requirements,
)
from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.fields import FieldContexts, decode_fields, encode_fields
from xvcodec.codec.onedva_bands import Members, bands_of, closed, coefficients, fineness, search
from xvcodec.codec.onedva_progress import Progress
from xvcodec.codec.painting import paint
from xvcodec.codec.shifts import Prices
from xvcodec.codec.token_contexts import PLANES, Bytes, Ints, TokenContexts
from xvcodec.codec.tokens import Asked, Layer, Walk, make_layers, values
from xvcodec.errors import UsageError
from xvcodec.models import chain
from xvcodec.models.chain import BETWEEN, CANVAS, Bands, Motion, Pictures, chunks_of
from xvcodec.models.coder import quality_of
from xvcodec.models.patches import CHROMA, TOKEN
from xvcodec.models.warp import BLOCK
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime

BEST, FALL = 51.3, 0.35
"""The error of a quality (crf): BEST dB at 0, FALL dB less for each one more."""
MOTION = 1.0
"""Quantiser step that motion is searched for, in thresholds of the quality."""
PRICE = 0.05
"""Squared error that a bit is worth, in squared thresholds."""
DRAWN = 0.75
"""Share of what the flow draws that is added, as it usually is in hivae."""
MOST = 120.0
"""Quality that painters are told at most, of pictures of which hardly anything is there."""


def threshold(quality: float) -> float:
    """What coefficients of a quality (crf) must reach to be sent, in picture units times a gain."""
    plane, step = fineness(quality)
    return float(step * 2.0**plane)


def error_of(quality: float) -> float:
    """Mean squared error, a luma pixel, both chroma planes included, that files of a quality usually have."""
    return float(10.0 ** ((FALL * quality - BEST) / 10.0))


def error_between(planes: Planes, other: Planes) -> float:
    """Mean squared error as `error_of` counts it."""
    luma, chroma = planes.luma - other.luma, planes.chroma - other.chroma
    return float((luma.square().sum() + CHROMA**2 * chroma.square().sum()) / luma.numel())


@dataclass(frozen=True)
class Contexts:
    """The fitted integers of a model."""

    fields: FieldContexts
    tokens: TokenContexts


@dataclass
class Symbols:
    """What the tokens of a GOP say."""

    frames: int
    fields: Ints  # [n, 4, 3, H/8, W/8]
    layers: list[Layer]
    members: Members
    tokens: Ints  # [N, TOKEN]
    level: int  # of the last scan
    step: float  # the finest
    canvas: float  # gain of the canvas, kept here because fields may be dropped afterwards


@dataclass
class Analysis:
    """Motion of a GOP."""

    frames: int
    fields: Ints
    streams: list[PassStream]


@dataclass
class Coding:
    """Tokens of a GOP for one quality, as far as they have been coded."""

    analysis: Analysis
    size: tuple[int, int]  # padded height and width
    step: float  # the finest
    plane: int  # of bits that the quality ends with
    progress: Progress


class OnedvaCodec:
    """`GopCodec` of the onedva family."""

    requirements = Requirements(multiple_of=32, max_gop_pixels=1 << 26, tokens=True)
    tunes = ("psnr",)

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        self.runtime = runtime
        self.contexts: Contexts = model.extras
        self.prices = Prices(model.tables)

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Analysis:
        """Motion, priced for about `quality`."""
        fields = search(planes.luma.float(), MOTION * threshold(quality))
        return self.moved(fields, planes.luma.shape[0])

    def moved(self, fields: Ints, frames: int) -> Analysis:
        """Given motion."""
        passes = encode_fields(fields, chunks_of(frames), self.contexts.fields, self.prices)
        return Analysis(frames, fields, [PassStream("fields", fields.shape, passes)] if frames > 1 else [])

    @torch.inference_mode()
    def coding(self, planes: Planes, analysis: Analysis, quality: float) -> Coding:
        """Differences from what a decoder has that gets all tokens of a quality; nothing of them is coded yet."""
        frames, _, height, width = planes.luma.shape
        plane, step = fineness(quality)
        motion = self._motion(analysis.fields, frames)
        bands = closed(Pictures(planes.luma.float(), planes.chroma.float()), motion, step * 2.0**plane)
        layers, members = make_layers(chunks_of(frames), (height // 16, width // 16))
        found = coefficients(bands, layers, members, motion.canvas, step)
        progress = Progress(layers, found, self.contexts.tokens, self.prices.bits)
        return Coding(analysis, (height, width), step, plane, progress)

    def encode(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide) -> CodedGop:
        """The shortest prefix of the tokens in which no coefficient is further off than the threshold of a quality (crf), or
        one of `guide.tokens` tokens."""
        coding = self.coding(planes, analysis, quality)
        pieces = coding.progress.pieces(coding.progress.until(coding.plane, guide.tokens))
        streams: list[PassStream | PieceStream] = [*analysis.streams, PieceStream("tokens", TOKEN, pieces)]

        def decoded() -> Planes:
            parts = list(self.reconstruct(self.said(coding, pieces), quality, guide))
            return Planes(torch.cat([part.luma for part in parts]), torch.cat([part.chroma for part in parts]))

        return CodedGop(streams, decoded)

    def said(self, coding: Coding, pieces: Sequence[Piece]) -> Symbols:
        """What a decoder knows that has some pieces."""
        return self._walk(coding.analysis.fields, coding.analysis.frames, coding.size, coding.step, _replay(pieces))

    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Symbols:
        """Decode every integer of a GOP of padded size height x width."""
        used = chunks_of(frames)
        grid = (height // BLOCK, width // BLOCK)
        with read.passes("fields", (len(used), 1 + BETWEEN, COMPONENTS, *grid)) as read_pass:
            fields = decode_fields((len(used), *grid), used, self.contexts.fields, read_pass)
        return self._walk(fields, frames, (height, width), fineness(quality)[1], read.pieces("tokens", TOKEN))

    def _walk(self, fields: Ints, frames: int, size: tuple[int, int], step: float,
              sources: Sequence[tuple[PieceHead, Any]]) -> Symbols:
        layers, members = make_layers(chunks_of(frames), (size[0] // 16, size[1] // 16))
        walk = Walk(layers, self.contexts.tokens)
        rows: list[Ints] = []
        for piece, source in sources:
            before = walk.tokens
            with source as read:
                kept = _Rows(read)
                for _ in range(piece.scans):
                    if not walk.scan(kept.take):
                        raise DamagedError("a piece has more scans than there are")
            if walk.tokens - before != piece.tokens:
                raise DamagedError("a piece does not have as many tokens as it says")
            rows += kept.rows()
        tokens = np.concatenate(rows) if rows else np.zeros((0, TOKEN), np.int32)
        canvas = self._motion(fields, frames).canvas
        return Symbols(frames, fields, layers, members, tokens, walk.level, step, canvas)

    def integers(self, symbols: Symbols) -> dict[str, NDArray[np.int32]]:
        """Fields and tokens."""
        return {"fields": symbols.fields, "tokens": symbols.tokens}

    def latents(self, symbols: Symbols, quality: float, guide: Guide, height: int, width: int) -> dict[str, NDArray[Any]]:
        """The integers: what a token means depends on the ones before it."""
        return self.integers(symbols)

    def unquantised(self, analysis: Any, height: int, width: int) -> dict[str, NDArray[Any]]:
        """There are none."""
        raise UsageError("this model's tokens are whole numbers from the start: choose crossmodal-latent for latents")

    def paint(self, latents: Mapping[str, NDArray[Any]], frames: int, height: int, width: int,
              guide: Guide) -> Iterator[Planes]:
        """There are none: see `unquantised`."""
        raise UsageError("this model paints tokens of a file only: choose crossmodal-latent for latents")

    def price(self, quality: float) -> float:
        """About what a bit buys where it is left out."""
        return PRICE * threshold(quality) ** 2

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order, some at a time."""
        made = self.unpainted(symbols)
        for start in range(0, symbols.frames, 4):
            yield self.painted(made[start : start + 4], self.nominal(symbols), guide)

    def unpainted(self, symbols: Symbols) -> Pictures:
        """Pictures as the tokens tell them."""
        frames = symbols.frames
        found = [values(layer.known, layer.signs, layer.plane, symbols.step) for layer in symbols.layers]
        here = bands_of(found, symbols.layers, symbols.members, symbols.canvas, frames)
        bands = Bands([self._here(each) for each in here.anchors],
                      [None if each is None else self._here(each) for each in here.between])
        return chain.pictures_of(bands, self._motion(symbols.fields, frames))

    @staticmethod
    def nominal(symbols: Symbols) -> float:
        """Quality that painters are told (crf): its step is the root of the threshold that the last scan leaves of a canvas
        that moves, since errors grow with that root: to about what painters count details in (docs/decisions.md)."""
        left = symbols.step / CANVAS * 2.0 ** (PLANES - 1 - symbols.level / 2.0)
        return min(MOST, max(0.0, quality_of(math.sqrt(left))))

    def _here(self, pictures: Pictures) -> Pictures:
        return Pictures(pictures.luma.to(self.runtime.device), pictures.chroma.to(self.runtime.device))

    def painted(self, rough: Pictures, quality: float, guide: Guide) -> Planes:
        """Pictures as they are shown; `quality` as `nominal` gives it."""
        return paint(self.runtime, Planes(*rough.planes()), quality, guide, DRAWN)

    def _motion(self, fields: Ints, frames: int) -> Motion:
        return Motion(torch.from_numpy(fields.astype(np.float32)).to(self.runtime.device), frames)


class _Rows:
    """Reads passes and keeps the rows of tokens that they make."""

    def __init__(self, read: Any) -> None:
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


def _replay(pieces: Sequence[Piece]) -> list[tuple[Piece, AbstractContextManager[ReadPass]]]:
    """Pieces that were just coded, as `ReadStream.pieces` gives them."""
    def source(piece: Piece) -> ReadPass:
        symbols = iter([symbols for symbols, _ in piece.passes])
        return lambda table: next(symbols)

    return [(piece, nullcontext(source(piece))) for piece in pieces]
