"""Symbols of training clips as the codec makes them, for fitting contexts of coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from xvc_bitstream.records import Gop

from xvcodec.codec.analysis import Analysis
from xvcodec.codec.chunks import cut, shares
from xvcodec.codec.coefficient_contexts import TOP
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.entropy import StreamReader, pack
from xvcodec.codec.family import Planes
from xvcodec.codec.lifetimes import octaves
from xvcodec.codec.session import Session
from xvcodec.models.crossmodal import BETWEEN, CHUNK
from xvcodec.models.quincunx import quincunx
from xvcodec.models.steps import KINDS
from xvcodec.training.data import Batch, Clips
from xvcodec.training.motion import CHUNKS

QUALITIES = (24.0, 60.0)
"""Clips are coded at a quality (crf) drawn from here: where the files of people are."""
SIZE = 256
"""Side of the crops that are coded."""
LARGE = 128
"""Sizes are counted up to this."""
EARLY, BOOST = 5, 4.0
"""Steps of the quincunx before EARLY have few positions: these are drawn so much more often."""
EMPTY = 0.15
"""How often a position is drawn at which and around which all is zero, against 1 for the others."""
Sizes = NDArray[np.uint8]


@dataclass(frozen=True)
class Symbols:
    """Of a GOP, by kind of picture."""

    latents: dict[str, NDArray[np.int32]]  # [pictures, L, h, w]
    qualities: dict[str, NDArray[np.float32]]  # crf, [pictures, H/32, W/32]


def coded(session: Session, clips: Clips, count: int) -> Iterator[Symbols]:
    """Code `count` GOPs, every third a photograph, and read their symbols."""
    codec, model = session.codec, session.model
    assert isinstance(codec, CrossmodalCodec)
    for number in range(count):
        batch = clips.photographs(1, SIZE) if number % 3 == 2 else clips.clips(1, CHUNKS, SIZE)
        quality, frames = round(float(clips.rng.uniform(*QUALITIES)) * 256) / 256, batch.luma.shape[1]
        made = codec.encode(Planes(batch.luma[0], batch.chroma[0]), analysis_of(batch), quality, session.guidance(""))
        streams = pack(made.streams, session.coder, model.tables)
        gop = Gop(tuple(range(frames)), 0, int(quality * 256), 0, streams)
        read = codec.decode_symbols(frames, SIZE, SIZE, quality, StreamReader(gop, session.coder, model.tables))
        yield Symbols(read.latents, codec.qualities(quality, read.levels, cut(frames, frames // CHUNK)))


def analysis_of(batch: Batch) -> Analysis:
    """What an encoder would find in a batch of one clip of 1 + 4n frames, with the motion that was searched before."""
    luma, fields = batch.luma[0], batch.fields[0]
    used = [BETWEEN] * (luma.shape[0] // CHUNK)
    lived = octaves(luma, fields, used, [shares(count) for count in used]).cpu().numpy()
    return Analysis(fields.cpu().numpy().astype(np.int32), lived)


@dataclass
class Rows:
    """What contexts know of M positions of a latent of L channels, and what is there."""

    near: Sizes  # [M, L] sizes of the four neighbours, added
    own: Sizes  # [M, L] sizes as contexts see them
    other: Sizes  # [M, L] sizes in another picture, see `xvcodec.codec.crossmodal`
    size: Sizes  # [M, L] sizes, LARGE at most
    step: NDArray[np.int64]  # [M] of the quincunx
    quality: NDArray[np.float32]  # [M]
    weight: NDArray[np.float32]  # [M] how many positions it stands for

    def __getitem__(self, which: slice | NDArray[np.intp]) -> Rows:
        return Rows(*(getattr(self, field.name)[which] for field in fields(self)))


def rows_of(gops: Sequence[Symbols], count: int, rng: np.random.Generator) -> dict[str, Rows]:
    """About `count` positions of each kind of picture (less of latents that are mostly empty), drawn at random."""
    found = {}
    for kind in KINDS:
        places = sum(gop.latents[kind].shape[0] * gop.latents[kind][0, 0].size for gop in gops if len(gop.latents[kind]))
        parts = [part for gop in gops for part in _rows(kind, gop, count / max(places, 1), rng)]
        found[kind] = Rows(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    return found


def _rows(kind: str, gop: Symbols, share: float, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """The fields of `Rows`, step by step."""
    height, width = gop.latents[kind].shape[2:]
    anchors = [_seen(latent) for latent in gop.latents["anchor"]]
    scale = height // gop.qualities[kind].shape[1]
    for number, latent in enumerate(gop.latents[kind]):
        quality = gop.qualities[kind][number].repeat(scale, 0).repeat(scale, 1).ravel()
        size, seen = _flat(np.minimum(np.abs(latent), LARGE)).astype(np.uint8), _seen(latent)
        other = np.zeros_like(seen)
        if kind == "between":  # chunks are whole: each has its frames between
            both = anchors[number] + (anchors[number - 1] if number else 0)
            other = np.repeat(both, BETWEEN, axis=1)
        elif kind == "anchor" and number:
            other = anchors[number - 1]
        yield from drawn_rows((height, width), size, seen, other, quality, share, rng)


def drawn_rows(shape: tuple[int, int], size: Sizes, seen: Sizes, other: Sizes, quality: NDArray[np.float32], share: float,
               rng: np.random.Generator) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """The fields of `Rows`, step by step, of one latent of h x w positions, of which about a share is drawn.

    Args:
        size, seen, other: [h * w, L], see `Rows`; quality: [h * w].
    """
    for at, step in enumerate(quincunx(*shape)):
        places = step.places
        near = np.zeros_like(seen[places]) if step.neighbours is None else seen[step.neighbours].sum(0, dtype=np.uint8)
        busy = (near.any(1) | other[places].any(1) | size[places].any(1))
        chance = np.minimum(share * np.where(busy, 1.0, EMPTY) * (BOOST if at < EARLY else 1.0), 1.0)
        drawn = np.flatnonzero(rng.random(places.size) < chance)
        of = places[drawn]
        yield (near[drawn], seen[of], other[of], size[of], np.full(of.size, at),
               quality[of], (1.0 / chance[drawn]).astype(np.float32))


def _flat(latent: NDArray[np.int32]) -> NDArray[np.int32]:
    """[L, h, w] -> [h * w, L]."""
    return np.ascontiguousarray(latent.reshape(latent.shape[0], -1).T)


def _seen(latent: NDArray[np.int32]) -> Sizes:
    return _flat(np.minimum(np.abs(latent), TOP)).astype(np.uint8)


def tensors(rows: Rows) -> list[torch.Tensor]:
    """The fields of some rows as tensors, sizes as float32."""
    arrays = [getattr(rows, field.name) for field in fields(rows)]
    return [torch.from_numpy(array.astype(np.float32) if array.dtype == np.uint8 else array) for array in arrays]
