"""Coding one GOP with the crossmodal family: key frame, then chunk after chunk, closed loop.

Streams of a GOP of n chunks, m of which have frames between their anchors; all integers, H x W the padded picture:
    key.y [1, 384, H/16, W/16], anchor.y [n, 96, H/8, W/8], between.y [m, 288, H/8, W/8] (xvcodec.codec.coefficients)
    key.cuts [1, H/16, W/16] (xvcodec.codec.cut_maps)
    fields [n, 4, 3, H/8, W/8] (xvcodec.codec.fields), qualities [1 + n, H/32, W/32] (xvcodec.codec.quality_maps)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.analysis import Analysis, analyse
from xvcodec.codec.chunks import cut, shares
from xvcodec.codec.closed_loop import coefficients_from
from xvcodec.codec.coefficient_contexts import Floats, Ints
from xvcodec.codec.coefficients import NONE, Contexts, tables_of_told
from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.codec.crossmodal_pass import Decoded, EncodingPass
from xvcodec.codec.family import CodedGop, Guide, Planes, ReadStream, Requirements
from xvcodec.codec.latent_arrays import caption_of, quality_map, sizes_beside, whole_qualities
from xvcodec.codec.masking import FREQUENCIES
from xvcodec.codec.qualities import levels_of, quality_between
from xvcodec.codec.quality_maps import UNIT
from xvcodec.codec.quantise import Quantiser
from xvcodec.codec.shifts import Prices, shifting
from xvcodec.codec.told import Telling, Told
from xvcodec.models.coder import AREA
from xvcodec.models.crossmodal import BETWEEN, Crossmodal
from xvcodec.models.steps import KINDS
from xvcodec.models.weights import LoadedModel
from xvcodec.options import MAX_CRF, TUNES
from xvcodec.runtime.base import Runtime

PRICE = 0.08
"""Squared steps that one bit is worth when rounding: below the model's own 0.1155, because later pictures are
predicted from what is decoded. Measured in files, bits at equal PSNR: 0.03 +1.6 %, 0.05 0, 0.08 -0.7 %."""


@dataclass(frozen=True)
class Symbols(Told):
    """Every integer of a GOP: what a decoder needs besides quality and caption."""

    latents: dict[str, NDArray[np.int32]]  # "key", "anchor", "between": [pictures, L, h, w]
    cuts: Ints | None = None  # [1, H/16, W/16], of a model that cuts patches


@dataclass(frozen=True)
class Closed:
    """A GOP that was coded in the loop."""

    told: Told
    coding: EncodingPass
    decoded: list[Decoded]


class CrossmodalCodec(Telling):
    """`GopCodec` of the crossmodal family."""

    requirements = Requirements(multiple_of=32, max_gop_pixels=1 << 28)
    tunes: tuple[str, ...] = TUNES
    names: ClassVar[dict[str, str]] = {kind: f"{kind}.y" for kind in KINDS}  # of the streams of latents
    coarsest = MAX_CRF  # quality of areas at most
    hidden: ClassVar[float] = FREQUENCIES  # how far high frequencies hide errors, see `xvcodec.codec.masking`
    rounds: ClassVar[Mapping[str, int]] = {}  # in which latents are refined, by kind, see `xvcodec.codec.refining`

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        assert isinstance(model.module, Crossmodal)
        self.module, self.runtime = model.module, runtime
        contexts: CrossmodalContexts = model.extras
        self.fields, self.field_prices, self.prices = contexts.fields, Prices(contexts.fields.tables), Prices(model.tables)
        self.contexts = {kind: Contexts(each, self.module.config.least) for kind, each in contexts.latents.items()}
        self.tables, self.quantiser = model.tables, Quantiser(model.tables, PRICE, NONE + 1)

    def nominal(self, quality: float) -> float:
        """Quality that areas of average worth are coded at, in a GOP of some quality."""
        return quality

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Analysis:
        """Motion and lifetimes of a GOP that will be coded at about `quality`."""
        return analyse(planes.luma.float(), quality, self.between(quality), tune == "perceptual")

    def encode(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide) -> CodedGop:
        """Code at quality (crf) 0 to 63."""
        return self.written(self.closed(planes, analysis, quality, guide))

    def written(self, closed: Closed) -> CodedGop:
        """The streams of a GOP that was coded in the loop."""
        return CodedGop([*closed.coding.streams(self.names), *self.told(closed.told)], partial(_together, closed.decoded))

    @torch.inference_mode()
    def closed(self, planes: Planes, analysis: Analysis, quality: float, guide: Guide, refined: bool = True) -> Closed:
        """Go through the loop, and leave writing to others. On trial latents are not `refined`, which takes time."""
        frames = planes.luma.shape[0]
        used = cut(frames, len(analysis.fields))
        levels = levels_of(self.module.config, quality, analysis, frames)
        pass_ = EncodingPass(self, self.qualities(quality, levels, used), guide, used, analysis.masking,
                             self.rounds if refined else {})
        luma, chroma = planes.luma, planes.chroma
        before = pass_.key(luma[:1], chroma[:1])
        decoded: list[Decoded] = [partial(tuple[Tensor, ...], before)]
        at = 0
        for count, fields in zip(used, _fields_of(analysis.fields, self.runtime.device), strict=True):
            end = at + count + 1
            after = pass_.predicted("anchor", luma[end : end + 1], chroma[end : end + 1], (*before, fields[:, 0]))()
            if count:
                slots = [at + 1 + min(slot, count) for slot in range(BETWEEN)]  # an unused slot repeats the anchor
                places = torch.tensor([shares(count)], device=self.runtime.device)
                middle = pass_.predicted("between", luma[slots], chroma[slots], (*before, *after, fields, places))
                decoded.append(partial(_first, middle, count))
            decoded.append(partial(tuple[Tensor, ...], after))
            before, at = after, end
        return Closed(Told(frames, analysis.fields, levels), pass_, decoded)

    def qualities(self, quality: float, levels: Ints, used: list[int]) -> dict[str, Floats]:
        """Quality (crf) of each area of every latent by kind, [latents, H/32, W/32]."""
        own = np.clip(self.nominal(quality) + UNIT * levels, 0.0, self.coarsest).astype(np.float32)
        between = np.full((sum(count > 0 for count in used), *levels.shape[1:]), self.between(quality), np.float32)
        return {"key": own[:1], "anchor": own[1:], "between": between}

    def between(self, quality: float) -> float:
        """Quality of frames between."""
        return quality_between(self.module.config, self.nominal(quality), self.coarsest)

    @torch.inference_mode()
    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Symbols:
        """Decode every integer of a GOP of padded size height x width."""
        told = self.decode_told(frames, height, width, read)
        latents: dict[str, Ints] = {}
        for kind, qualities in self.qualities(quality, told.levels, told.used).items():
            latents[kind] = self._decode_latents(kind, qualities, told.used, latents, read)
        key = latents["key"]
        return Symbols(**vars(told), latents=latents, cuts=self.decode_cuts(key, key.shape[2:], read))

    def _decode_latents(self, kind: str, qualities: Floats, used: list[int], known: dict[str, Ints],
                        read: ReadStream) -> Ints:
        """Symbols of all latents of a kind, [latents, L, h, w]."""
        coder = getattr(self.module, kind)
        scale = AREA // coder.patch
        found = np.zeros((len(qualities), coder.latents, qualities.shape[1] * scale, qualities.shape[2] * scale), np.int32)
        latents = known | {kind: found}
        if len(found):
            with read.passes(self.names[kind], found.shape) as read_pass:
                everything = read_pass(tables_of_told(len(found))) != 0
                take = coefficients_from(shifting(read_pass, len(self.prices.tables)))
                for number, quality in enumerate(qualities):
                    other = sizes_beside(kind, number, used, latents)
                    walked = self.contexts[kind].walk(whole_qualities(quality, scale), other, take, None, everything[number])
                    found[number] = walked.T.reshape(found.shape[1:])
        return found

    def integers(self, symbols: Symbols) -> dict[str, NDArray[np.int32]]:
        """Every array of a GOP by the name of its stream."""
        own = self.motion_arrays(symbols.fields) | {"qualities": symbols.levels}
        if symbols.cuts is not None:
            own["key.cuts"] = symbols.cuts
        return {self.names[kind]: array for kind, array in symbols.latents.items()} | own

    def latents(self, symbols: Symbols, quality: float, guide: Guide, height: int,
                width: int) -> dict[str, NDArray[np.int32]]:
        """The integers: in a closed loop latents mean nothing without the pictures they were predicted from."""
        return self.integers(symbols)

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order: the key frame, then chunk after chunk."""
        device = self.runtime.device
        used = symbols.used
        quality_of = self.qualities(quality, symbols.levels, used)

        def synthesise(kind: str, number: int, *state: Tensor) -> tuple[Tensor, ...]:
            latent = torch.from_numpy(symbols.latents[kind][number : number + 1].astype(np.float32)).to(device)
            q = quality_map(quality_of[kind][number], device)
            if kind == "key" and symbols.cuts is not None:
                cuts = torch.from_numpy(symbols.cuts[None].astype(np.float32)).to(device)
                latent = self.runtime.run("key.join", (latent, cuts, q))[0]
            return self.runtime.run(f"{kind}.synthesise", (latent, *state, q, *caption_of(kind, guide)))

        before = synthesise("key", 0)
        yield Planes(*before)
        done = 0
        for chunk, (count, fields) in enumerate(zip(used, _fields_of(symbols.fields, device), strict=True)):
            after = synthesise("anchor", chunk, *before, fields[:, 0])
            parts = [after]
            if count:
                places = torch.tensor([shares(count)], device=device)
                middle = synthesise("between", done, *before, *after, fields, places)
                parts.insert(0, (middle[0][:count], middle[1][:count]))
                done += 1
            yield Planes(*(torch.cat(planes) for planes in zip(*parts, strict=True)))
            before = after


@torch.inference_mode()
def _together(parts: list[Decoded]) -> Planes:
    """Pictures in display order; only now those between anchors are made, on which no other depends."""
    return Planes(*(torch.cat(planes) for planes in zip(*(part() for part in parts), strict=True)))


def _first(decoded: Decoded, count: int) -> tuple[Tensor, ...]:
    return tuple(plane[:count] for plane in decoded())


def _fields_of(fields: NDArray[np.int32], device: torch.device) -> list[Tensor]:
    """int32 [n, 4, 3, h, w] -> n tensors float32 [1, 4, 3, h, w]."""
    return [torch.from_numpy(fields[i : i + 1].astype(np.float32)).to(device) for i in range(fields.shape[0])]
