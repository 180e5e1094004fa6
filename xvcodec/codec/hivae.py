"""Coding one GOP with the hivae family: key frame, then global motion, then detailed motion, closed loop.

Streams of a GOP of n anchors and m pictures between them, H x W the padded picture; all integers:
    key.y [1, 384, H/16, W/16]     as of crossmodal
    global [n, 2 + 96, H/8, W/8]   of each anchor its vectors (quarter pixels), then coefficients of what remains
    detail [m, 3 + 96, H/8, W/8]   of each picture between its corrections and sides, then coefficients
Pictures of a stream come in the order of `xvcodec.codec.pyramid`, of each the vectors first. Tables of `global` depend on
itself alone, those of `detail` on both, so that every symbol decodes whatever is later left out of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.closed_loop import ClosedLoop, coefficients_from
from xvcodec.codec.coefficient_contexts import CoefficientContexts, Floats, Ints
from xvcodec.codec.coefficients import NONE, Contexts, Sizes, Take, Trial, sizes_of
from xvcodec.codec.family import CodedGop, Guide, PassStream, Planes, ReadStream, Requirements
from xvcodec.codec.fields import FieldContexts
from xvcodec.codec.hivae_chunks import best_chunk
from xvcodec.codec.hivae_loop import Loop, qualities, rows, wished
from xvcodec.codec.hivae_motion import Motion, search
from xvcodec.codec.pyramid import Node, anchors_of, chunk_of, details_of
from xvcodec.codec.quantise import Quantiser
from xvcodec.codec.vectors import Field, Passes, reading, walk, writing
from xvcodec.models.coder import KEY_PATCH
from xvcodec.models.crossmodal import PATCH
from xvcodec.models.hivae import Hivae
from xvcodec.models.transform import values_of
from xvcodec.models.warp import BLOCK
from xvcodec.models.weights import LoadedModel
from xvcodec.options import MAX_CRF
from xvcodec.runtime.base import Runtime

PRICE = 0.1
"""Squared steps that one bit is worth when rounding."""
DEARER = 2 * 3.4 / 63.0
"""Where a picture should be coarser than the coarsest quantiser, bits are dearer instead: by this power of e a crf."""
LATENT_SIZES = {"key": KEY_PATCH, "anchor": PATCH, "amid": PATCH}
"""Side of the patches of each kind of picture."""
COEFFICIENTS = values_of(PATCH)


@dataclass(frozen=True)
class HivaeContexts:
    """The fitted integers of a model: which tables code its streams. ValueError for contexts of other latents."""

    fields: FieldContexts
    latents: dict[str, CoefficientContexts]  # "key", "anchor", "amid"

    def __post_init__(self) -> None:
        if {kind: (each.patch, each.pictures) for kind, each in self.latents.items()} != \
                {kind: (patch, 1) for kind, patch in LATENT_SIZES.items()}:
            raise ValueError("the contexts of coefficients are not those of key frames, anchors and pictures between")


@dataclass(frozen=True)
class Symbols:
    """Every integer of a GOP by stream, as in the module's text."""

    frames: int
    chunk: int
    streams: dict[str, Ints]


class Known:
    """What tables of later symbols depend on."""

    def __init__(self) -> None:
        self.sizes: dict[int, Sizes] = {}  # by frame, [h * w, L]
        self.fields: dict[int, Field] = {}
        self.first: dict[int, Field] = {}  # by the frame of the anchor behind it: the field of the middle of a chunk

    def earlier(self, node: Node) -> list[Field]:
        """Fields that tell about the vectors of `node`."""
        anchor = node.inside[1]
        return [] if node.after is None else [self.fields[anchor], *([self.first[anchor]] if node.level > 1 else [])]

    def beside(self, node: Node) -> Sizes | None:
        """Sizes of the latents of the pictures that it is predicted from; None where these are key frames."""
        near = [self.sizes[frame] for frame in (node.before, node.after) if frame in self.sizes]
        if len(near) == 2:
            return near[0] + near[1]
        return near[0] if near else None

    def note(self, node: Node, field: Field, walked: Ints) -> None:
        """Remember a picture's field and its latent [h * w, L]."""
        self.fields[node.frame], self.sizes[node.frame] = field, sizes_of(walked)
        if node.level == 1:
            self.first[node.inside[1]] = field


class HivaeCodec(ClosedLoop):
    """`GopCodec` of the hivae family. Its analysis is the vectors."""

    requirements = Requirements(multiple_of=32, max_gop_pixels=1 << 28)
    tunes = ("psnr",)

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        assert isinstance(model.module, Hivae)
        self.module, self.runtime = model.module, runtime
        contexts: HivaeContexts = model.extras
        self.fields = contexts.fields
        self.contexts = {kind: Contexts(each, self.module.config.least) for kind, each in contexts.latents.items()}
        self.tables = model.tables

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Motion:
        """Motion, found on the original pictures, priced for about `quality`, and how far anchors are apart."""
        def code(some: Planes, chunk: int) -> tuple[Loop, list[PassStream]]:
            return self.code(some, self.searched(some, chunk, quality), quality, guide)

        return self.searched(planes, best_chunk(planes, self.tables, code), quality)

    def searched(self, planes: Planes, chunk: int, quality: float) -> Motion:
        """Motion for chunks of a length."""
        config = self.module.config
        return search(planes.luma.float(), chunk, wished(config, quality)[1:], config.coarseness)

    @torch.inference_mode()
    def encode(self, planes: Planes, analysis: Motion, quality: float, guide: Guide) -> CodedGop:
        """Code at quality (crf) 0 to 63."""
        loop, streams = self.code(planes, analysis, quality, guide)

        def decoded() -> Planes:
            with torch.inference_mode():
                return loop.shown(range(planes.luma.shape[0]))

        return CodedGop(streams, decoded)

    def code(self, planes: Planes, analysis: Motion, quality: float, guide: Guide) -> tuple[Loop, list[PassStream]]:
        """The streams of a GOP, and the loop with every picture as decoded, before it is painted."""
        frames, luma, chroma = planes.luma.shape[0], planes.luma, planes.chroma
        loop, known = Loop(self.runtime, self.module.config, quality, guide), Known()
        quantisers = [Quantiser(self.tables, PRICE * exp(DEARER * max(0.0, wish - MAX_CRF)), NONE + 1)
                      for wish in wished(self.module.config, quality)]
        streams = [self._encode_key(loop, luma[:1], chroma[:1], quantisers[0])]
        for name, shape, nodes in _parts(frames, analysis.chunk, *luma.shape[2:]):
            passes: Passes = []
            for node in nodes:
                vectors, at = analysis.vectors[node.frame], slice(node.frame, node.frame + 1)
                take = writing(vectors.reshape(len(vectors), -1), passes)
                field = walk(shape[2], shape[3], self.fields, known.earlier(node), take)
                state = loop.predict(node, vectors)
                rest = rows(loop.analyse(node, state, luma[at], chroma[at]), self._of(node).order)
                walked = self._walk(node, shape, loop.of, known, _writing(quantisers[1 + node.level], rest, passes))
                known.note(node, field, walked)
                loop.synthesise(node, state, walked.T.reshape(1, COEFFICIENTS, *shape[2:]))
            streams.append(PassStream(name, shape, passes))
        return loop, streams

    def _encode_key(self, loop: Loop, luma: Tensor, chroma: Tensor, quantiser: Quantiser) -> PassStream:
        """Code and decode the key frame."""
        latent, contexts = loop.analyse_key(luma, chroma), self.contexts["key"]
        rest, passes = rows(latent, contexts.order), Passes()
        plain = rest.copy()

        def expect(number: int, symbols: Ints, _: Trial) -> None:
            """Take off what the neighbours that are final tell; the first step has none."""
            if number:
                so_far = symbols[:, contexts.place].T.astype(np.float32).reshape(latent.shape)
                means = loop.expect_key(torch.from_numpy(so_far).to(latent.device))
                leading = contexts.place[: means.shape[1]]
                rest[:, leading] = plain[:, leading] - rows(means, np.arange(means.shape[1]))

        walked = contexts.walk(_even(loop.of[0], latent.shape), None, _writing(quantiser, rest, passes), expect)
        loop.key(walked.T.reshape(latent.shape))
        return PassStream("key.y", tuple(latent.shape), passes)

    @torch.inference_mode()
    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Symbols:
        """Decode every integer of a GOP of padded size height x width."""
        of, known = qualities(self.module.config, quality), Known()
        first = (1, self.module.key.latents, height // KEY_PATCH, width // KEY_PATCH)
        with read.passes("key.y", first) as read_pass:
            key = self.contexts["key"].walk(_even(of[0], first), None, coefficients_from(read_pass))
        streams = {"key.y": key.T.reshape(first)}
        try:
            chunk = chunk_of(frames, read.rows("global"))
        except ValueError as error:
            raise DamagedError(f"{error}: the file is damaged") from None
        for name, shape, nodes in _parts(frames, chunk, height, width):
            streams[name] = np.zeros(shape, np.int32)
            with read.passes(name, shape) as read_pass:
                for number, node in enumerate(nodes):
                    field = walk(shape[2], shape[3], self.fields, known.earlier(node), reading(read_pass))
                    walked = self._walk(node, shape, of, known, coefficients_from(read_pass))
                    known.note(node, field, walked)
                    streams[name][number] = np.concatenate((field.values, walked.T)).reshape(shape[1:])
        return Symbols(frames, chunk, streams)

    def integers(self, symbols: Symbols) -> dict[str, NDArray[np.int32]]:
        """Every array of a GOP by the name of its stream."""
        return symbols.streams

    def latents(self, symbols: Symbols, quality: float, guide: Guide, height: int, width: int) -> dict[str, NDArray[Any]]:
        """The integers: in a closed loop latents mean nothing without the pictures they were predicted from."""
        return symbols.streams

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order: the key frame, then chunk after chunk."""
        loop = Loop(self.runtime, self.module.config, quality, guide)
        loop.key(symbols.streams["key.y"])
        yield loop.shown([0])
        details = list(enumerate(details_of(symbols.frames, symbols.chunk)))
        for number, anchor in enumerate(anchors_of(symbols.frames, symbols.chunk)):
            inside = [("detail", at, node) for at, node in details if node.inside[1] == anchor.frame]
            for name, at, node in [("global", number, anchor), *inside]:
                both = symbols.streams[name][at]
                state = loop.predict(node, both[:-COEFFICIENTS])
                loop.synthesise(node, state, both[None, -COEFFICIENTS:])
            yield loop.shown(range(anchor.before + 1, anchor.frame + 1))
            loop.forget(anchor.frame)

    def _of(self, node: Node) -> Contexts:
        return self.contexts["amid" if node.level else "anchor"]

    def _walk(self, node: Node, shape: tuple[int, ...], of: list[float], known: Known, take: Take) -> Ints:
        """Coefficients of a predicted picture, [h * w, L]."""
        return self._of(node).walk(_even(of[1 + node.level], shape), known.beside(node), take)


def _parts(frames: int, chunk: int, height: int, width: int) -> list[tuple[str, tuple[int, ...], tuple[Node, ...]]]:
    """The two motion streams of a GOP: name, shape, and pictures in order."""
    parts = (("global", 2, anchors_of(frames, chunk)), ("detail", 3, details_of(frames, chunk)))
    return [(name, (len(nodes), components + COEFFICIENTS, height // BLOCK, width // BLOCK), nodes)
            for name, components, nodes in parts]


def _even(quality: float, shape: Sequence[int]) -> Ints:
    """Whole crf of each position of a latent [1, L, h, w]: the same for all."""
    return np.full(shape[2:], int(quality), np.int32)


def _writing(quantiser: Quantiser, rest: Floats, passes: Passes) -> Take:
    """What rounds a latent, [h * w, L] in quantiser steps, and appends its symbols to `passes`."""

    def take(places: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
        found = quantiser.whole(rest[places, channels], table)
        kept = table != NONE
        passes.append((found[kept], table[kept]))
        return found

    return take
