"""Coding one GOP with the onedva family: motion fields, and tokens in pieces that refine each other.

Streams of a GOP of n chunks: fields [n, 4, 3, H/8, W/8] (xvcodec.codec.fields) and tokens [N, 16] (xvcodec.codec.tokens, in
pieces of SPEC.md, section 6.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
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
from xvcodec.codec.onedva_bands import STEP, Members, bands_of, coefficients, search
from xvcodec.codec.onedva_paint import painted
from xvcodec.codec.onedva_progress import MIDDLE, Progress
from xvcodec.codec.token_contexts import PLANES, Bytes, Ints, TokenContexts
from xvcodec.codec.tokens import Asked, Layer, Walk, make_layers, values
from xvcodec.errors import UsageError
from xvcodec.models import lifting
from xvcodec.models.lifting import BETWEEN, Bands, Motion, Pictures, chunks_of
from xvcodec.models.patches import CHROMA, TOKEN
from xvcodec.models.warp import BLOCK
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime

BEST, FALL = 47.0, 0.35
"""The error of a quality (crf): BEST dB at 0, FALL dB less for each one more."""
MOTION = 12.0
"""Quantiser step that motion is searched for, in root mean squared errors."""


def error_of(quality: float) -> float:
    """Mean squared error, a luma pixel, both chroma planes included, that a quality asks for."""
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


@dataclass
class Analysis:
    """Motion of a GOP, and its tokens as far as they have been coded."""

    frames: int
    fields: Ints
    members: Members
    progress: Progress
    motion: list[PassStream] = field(default_factory=list)

    def symbols(self) -> Symbols:
        """What all that has been coded says, without the rows of tokens."""
        walk = self.progress.walk
        return Symbols(self.frames, self.fields, walk.layers, self.members, np.zeros((0, TOKEN), np.int32), walk.level)


class OnedvaCodec:
    """`GopCodec` of the onedva family."""

    requirements = Requirements(multiple_of=32, max_gop_pixels=1 << 26, tokens=True)
    tunes = ("psnr",)

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        self.runtime = runtime
        self.contexts: Contexts = model.extras
        self.cost = 16.0 - np.log2(model.tables.frequencies.astype(np.float64))

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Analysis:
        """Motion, priced for about `quality`, and the differences along it."""
        frames = planes.luma.shape[0]
        fields = search(planes.luma.float(), MOTION * math.sqrt(error_of(quality)))
        return self.analysed(planes, fields, frames)

    def analysed(self, planes: Planes, fields: Ints, frames: int) -> Analysis:
        """The differences along given motion."""
        motion = self._motion(fields, frames)
        bands = lifting.forward(Pictures(planes.luma.float(), planes.chroma.float()), motion)
        layers, members = make_layers(motion.used, (planes.luma.shape[2] // 16, planes.luma.shape[3] // 16))
        found = coefficients(bands, layers, members, frames)
        progress = Progress(layers, found, self.contexts.tokens, self.cost)
        passes = encode_fields(fields, motion.used, self.contexts.fields)
        streams = [PassStream("fields", fields.shape, passes)] if frames > 1 else []
        return Analysis(frames, fields, members, progress, streams)

    def encode(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide) -> CodedGop:
        """The shortest prefix of the tokens with the error that quality (crf) asks for, or with `guide.tokens` tokens."""
        frames, _, height, width = planes.luma.shape
        progress = analysis.progress
        pieces = progress.pieces(progress.until(self.wanted(planes, quality), guide.tokens))
        streams: list[PassStream | PieceStream] = [*analysis.motion, PieceStream("tokens", TOKEN, pieces)]

        def decoded() -> Planes:
            symbols = self._walk(analysis.fields, frames, height, width, _replay(pieces))
            parts = list(self.reconstruct(symbols, quality, guide))
            return Planes(torch.cat([part.luma for part in parts]), torch.cat([part.chroma for part in parts]))

        return CodedGop(streams, decoded)

    @staticmethod
    def wanted(planes: Planes, quality: float) -> float:
        """Squared error of a GOP that a quality asks for, in finest steps."""
        return error_of(quality) * planes.luma.numel() / STEP**2

    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Symbols:
        """Decode every integer of a GOP of padded size height x width."""
        used = chunks_of(frames)
        grid = (height // BLOCK, width // BLOCK)
        with read.passes("fields", (len(used), 1 + BETWEEN, COMPONENTS, *grid)) as read_pass:
            fields = decode_fields((len(used), *grid), used, self.contexts.fields, read_pass)
        return self._walk(fields, frames, height, width, read.pieces("tokens", TOKEN))

    def _walk(self, fields: Ints, frames: int, height: int, width: int, sources: Sequence[tuple[PieceHead, Any]]) -> Symbols:
        layers, members = make_layers(chunks_of(frames), (height // 16, width // 16))
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
        return Symbols(frames, fields, layers, members, tokens, walk.level)

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
        return error_of(quality) * 8.0

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order, some at a time."""
        made = self.unpainted(symbols)
        for start in range(0, symbols.frames, 4):
            yield self.painted(made[start : start + 4], start, self.level(symbols.level), guide)

    def unpainted(self, symbols: Symbols) -> Pictures:
        """Pictures as the tokens tell them."""
        frames = symbols.frames
        found = [values(layer.known, layer.signs, layer.plane, STEP, MIDDLE) for layer in symbols.layers]
        here = bands_of(found, symbols.layers, symbols.members, frames)
        bands = Bands([self._here(each) for each in here.anchors],
                      [None if each is None else self._here(each) for each in here.between])
        return lifting.inverse(bands, self._motion(symbols.fields, frames))

    @staticmethod
    def level(scan: int) -> float:
        """The painter's level, see `unit_of`, of the last scan's."""
        return min(63.0, max(0.0, 4.0 * (PLANES - 1 - scan / 2.0 + math.log2(STEP) + 8.0)))

    def _here(self, pictures: Pictures) -> Pictures:
        return Pictures(pictures.luma.to(self.runtime.device), pictures.chroma.to(self.runtime.device))

    def painted(self, rough: Pictures, start: int, level: float, guide: Guide) -> Planes:
        """See `xvcodec.codec.onedva_paint`."""
        return painted(self.runtime, rough, start, level, guide)

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
