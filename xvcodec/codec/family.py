"""What a model family offers to the codec: no more than this is needed to code files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from xvc_bitstream.tables import TableSet

ReadPass = Callable[[NDArray[np.uint8]], NDArray[np.int32]]
OpenPiece = Callable[[TableSet], AbstractContextManager[ReadPass]]
"""Gives, from the tables of a piece, what reads it pass by pass."""


class ReadStream(Protocol):
    """Entropy-decodes the named streams of one GOP."""

    def __call__(self, name: str, index: NDArray[np.uint8], skip: int = 0) -> NDArray[np.int32]:
        """Symbols of a stream, given the table of each (any shape); those with a table below `skip` are zero."""

    def rows(self, name: str) -> int:
        """The first of a stream's sizes, 0 where there is none of that name."""

    def passes(self, name: str, shape: tuple[int, ...], tables: TableSet | None = None) -> AbstractContextManager[ReadPass]:
        """A stream coded in passes: gives a function from tables, uint8 [n], to the next symbols, int32 [n].

        Args:
            tables: of the stream, where it does not have the model's.
        """

    def pieces(self, name: str, size: int) -> Sequence[tuple[PieceHead, OpenPiece]]:
        """The pieces of a stream of tokens of `size` numbers: what each says of itself, and what opens it."""


@dataclass(frozen=True)
class Requirements:
    """What a family asks of its input; one padder obeys it."""

    multiple_of: int  # padded width and height are multiples of this
    max_gop_pixels: int  # width * height * frames of one GOP at most: bounds memory
    tokens: bool = False  # whether it writes tokens, any prefix of which can be decoded
    near: float = math.inf  # crf between the quality of an analysis and those of coding with it, at most


@dataclass(frozen=True)
class CodedStream:
    """A named latent array before entropy coding."""

    name: str
    symbols: NDArray[np.int32]  # any rank
    index: NDArray[np.uint8]  # table of every symbol, same shape
    skip: int = 0  # symbols with a table below this are zero and are not coded


@dataclass(frozen=True)
class PassStream:
    """A named array coded in several passes, because the tables of each depend on the symbols before it."""

    name: str
    shape: tuple[int, ...]  # of the array
    passes: list[tuple[NDArray[np.int32], NDArray[np.uint8]]]  # (symbols, tables), 1-D
    tables: TableSet | None = None  # its own, if it does not have the model's


class PieceHead(Protocol):
    """What a piece of tokens says of itself."""

    @property
    def level(self) -> int:
        """The greater the finer."""

    @property
    def scans(self) -> int:
        """Steps of the model's walk that it holds."""

    @property
    def tokens(self) -> int:
        """Tokens that these give."""


@dataclass(frozen=True)
class Piece:
    """A piece of tokens before entropy coding, see `xvc_bitstream.pieces`."""

    level: int
    scans: int
    tokens: int
    passes: list[tuple[NDArray[np.int32], NDArray[np.uint8]]]  # (symbols, tables), 1-D
    tables: TableSet


@dataclass(frozen=True)
class PieceStream:
    """Tokens in pieces, each a payload of its own."""

    name: str
    size: int  # numbers of a token
    pieces: list[Piece]


@dataclass(frozen=True)
class Guide:
    """What coding depends on besides pictures: the caption as networks see it, and choices of generative decoders.

    text is [1, T, D] float32 and mask [1, T]; T is 0 without a caption.
    """

    text: Tensor
    mask: Tensor
    tokens: int | None = None  # most tokens of a GOP
    steps: int | None = None  # of its sampler; None for the model's own number
    seed: int = 0  # of its noise, 0 to 2^64 - 1


@dataclass(frozen=True)
class Planes:
    """Padded pictures of one GOP: luma [T, 1, H, W], chroma [T, 2, H/2, W/2], float32 in [-0.5, 0.5]."""

    luma: Tensor
    chroma: Tensor


@dataclass(frozen=True)
class Ends:
    """How things move at both ends of a GOP, for `xvcodec.codec.seams`.

    Fields say where blocks of a picture are found in the one before: [1, 2, H/8, W/8], quarter pixels of luma.
    """

    first: Tensor
    last: Tensor
    unit: float  # quantiser step of areas of average worth, in the range of planes


@dataclass(frozen=True)
class CodedGop:
    """What the encoder made of a GOP, and what the decoder will make of it."""

    streams: Sequence[CodedStream | PassStream | PieceStream]
    decoded: Callable[[], Planes]  # what was not decoded for coding is when it is called


class GopCodec(Protocol):
    """Coding of one GOP by one family, on one runtime."""

    requirements: Requirements

    @property
    def tunes(self) -> tuple[str, ...]:
        """What it can be tuned for, of `xvcodec.options.TUNES`; the first is what it is tuned for unless it is told."""

    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Any:
        """What hardly depends on quality (motion, open-loop latents); done once for about `quality`, however many
        qualities are tried.
        """

    def encode(self, planes: Planes, analysis: Any, quality: float, guide: Guide) -> CodedGop:
        """Code at quality (crf) 0 to 63."""

    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Any:
        """Decode every integer of a GOP of padded size height x width; no floating-point network runs."""

    def integers(self, symbols: Any) -> dict[str, NDArray[np.int32]]:
        """What `decode_symbols` gave, as arrays by the name of their stream; they are its own, not copies."""

    def latents(self, symbols: Any, quality: float, guide: Guide, height: int, width: int) -> dict[str, NDArray[Any]]:
        """What the family calls the latents of a GOP, by name, for pictures of height x width without padding."""

    def unquantised(self, analysis: Any, height: int, width: int) -> dict[str, NDArray[Any]]:
        """`analysis` in the form of `latents`, before any quantisation.

        Raises:
            UsageError: the family codes in a closed loop, where latents depend on the quality of what was decoded before.
        """

    def paint(self, latents: Mapping[str, NDArray[Any]], frames: int, height: int, width: int,
              guide: Guide) -> Iterator[Planes]:
        """Padded pictures of unquantised latents in the form of `latents`.

        Raises:
            UsageError: as `unquantised` does, and when the latents are not those of `frames` pictures of this size.
        """

    def price(self, quality: float) -> float:
        """Squared error of luma (range 1, summed over pixels) that one bit is worth at a quality."""

    def reconstruct(self, symbols: Any, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures of a GOP in display order, a few at a time."""

    def ends(self, symbols: Any, quality: float) -> Ends | None:
        """What is needed to hide where GOPs meet; None where a family does not."""
