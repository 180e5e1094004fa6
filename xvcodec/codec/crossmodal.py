"""Coding one GOP with the crossmodal family: key frame, then chunk after chunk, closed loop.

Streams of a GOP of n chunks, m of which have frames between their anchors; all integers, H x W the padded picture:
    key.y [1, 384, H/16, W/16], anchor.y [n, 96, H/8, W/8], between.y [m, 288, H/8, W/8] (xvcodec.codec.coefficients)
    fields [n, 4, 3, H/8, W/8] (xvcodec.codec.fields)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.coefficient_contexts import CoefficientContexts, Floats, Ints
from xvcodec.codec.coefficients import Contexts, Sizes, Take, sizes_of
from xvcodec.codec.family import CodedGop, Guide, PassStream, Planes, ReadPass, ReadStream, Requirements
from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.fields import FieldContexts, decode_fields, encode_fields
from xvcodec.codec.quantise import SKIP, Quantiser
from xvcodec.errors import UsageError
from xvcodec.models.coder import KEY_PATCH, RATE_WEIGHT, nominal_step
from xvcodec.models.crossmodal import BETWEEN, CHUNK, PATCH, Crossmodal, CrossmodalConfig
from xvcodec.models.search import price_of, search_between, search_forward
from xvcodec.models.warp import BLOCK
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime

PRICE = 0.08
"""Squared steps that one bit is worth when rounding: below the model's own 0.1155, because later pictures are
predicted from what is decoded. Measured in files, bits at equal PSNR: 0.03 +1.6 %, 0.05 0, 0.08 -0.7 %."""
CLOSED = ("this model codes in a closed loop, so it has no latents without a quality: choose a model for latents "
          "(crossmodal-latent), or encode and read the file's integers")
FIELD_LIMIT = 2047
"""Largest vector component, quarter pixels."""


LONG = 16
"""Frames from which on a GOP's key frame gets the whole of its advantage: a photograph gets none."""
FINE = 24.0
"""Quality below which all kinds of picture draw together: at crf 0 every one has the finest step."""


def qualities(config: CrossmodalConfig, quality: float, frames: int) -> dict[str, float]:
    """Quality (crf) of each kind of picture in a GOP of nominal quality `quality` and `frames` frames.

    The key frame is coded finer, because all others are predicted from it, and the frames between coarser, because
    nothing is.
    """
    share = min(1.0, quality / FINE)
    key, anchor, between = (offset * share for offset in config.offsets)
    offsets = {"key": key * min(1.0, (frames - 1) / (LONG - 1)), "anchor": anchor, "between": between}
    return {kind: min(63.0, max(0.0, quality + offset)) for kind, offset in offsets.items()}


def used_corrections(frames: int) -> list[int]:
    """How many frames lie between the anchors of each chunk of a GOP."""
    rest = frames - 1
    return [min(BETWEEN, rest - start - 1) for start in range(0, rest, CHUNK)]


def _shares(used: int) -> list[float]:
    """Places of the frames between two anchors; unused slots sit on the later anchor."""
    return [(slot + 1) / (used + 1) if slot < used else 1.0 for slot in range(BETWEEN)]


@dataclass(frozen=True)
class Symbols:
    """Every integer of a GOP: what a decoder needs besides quality and caption. Arrays as in the module's text."""

    frames: int
    fields: NDArray[np.int32]  # [n, 4, 3, 2 h, 2 w]
    latents: dict[str, NDArray[np.int32]]  # "key", "anchor", "between": [pictures, L, h, w]


LATENT_SIZES = {"key": (KEY_PATCH, 1), "anchor": (PATCH, 1), "between": (PATCH, BETWEEN)}
"""Side of the patches and number of pictures of each kind of latent."""


@dataclass(frozen=True)
class CrossmodalContexts:
    """The fitted integers of a model: which tables code its streams. ValueError for contexts of other latents."""

    fields: FieldContexts
    latents: dict[str, CoefficientContexts]  # "key", "anchor", "between"

    def __post_init__(self) -> None:
        if {kind: (each.patch, each.pictures) for kind, each in self.latents.items()} != LATENT_SIZES:
            raise ValueError("the contexts of coefficients are not those of key frames, anchors and frames between")

    @classmethod
    def default(cls) -> CrossmodalContexts:
        """Plausible ones by formula, not fitted."""
        latents = {kind: CoefficientContexts.default(*size) for kind, size in LATENT_SIZES.items()}
        return cls(FieldContexts.default(), latents)


class CrossmodalCodec:
    """`GopCodec` of the crossmodal family."""

    requirements = Requirements(multiple_of=32, max_gop_pixels=1 << 28)

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        assert isinstance(model.module, Crossmodal)
        self.module, self.runtime = model.module, runtime
        contexts: CrossmodalContexts = model.extras
        self.fields = contexts.fields
        self.contexts = {kind: Contexts(each) for kind, each in contexts.latents.items()}
        self.quantiser = Quantiser(model.tables, PRICE, SKIP)

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide) -> NDArray[np.int32]:
        """Motion fields int32 [n, 4, 3, H/8, W/8] of a GOP, found on the original pictures, priced for about `quality`."""
        luma = planes.luma.float()
        used = used_corrections(luma.shape[0])
        of = qualities(self.module.config, quality, luma.shape[0])
        prices = {kind: price_of(of[kind]) for kind in ("anchor", "between")}
        blocks = (luma.shape[-2] // BLOCK, luma.shape[-1] // BLOCK)
        fields = torch.zeros(len(used), 1 + BETWEEN, COMPONENTS, *blocks)
        start = 0
        for chunk, count in enumerate(used):
            before, after = luma[start : start + 1], luma[start + count + 1 : start + count + 2]
            fields[chunk, 0, :2] = anchor = search_forward(after, before, prices["anchor"])[0]
            for slot in range(count):
                middle = luma[start + 1 + slot : start + 2 + slot]
                share = _shares(count)[slot]
                found = search_between(middle, before, after, anchor[None], share, prices["between"])
                fields[chunk, 1 + slot] = found[0]
            start += count + 1
        return fields.clamp(-FIELD_LIMIT, FIELD_LIMIT).numpy().astype(np.int32)

    @torch.inference_mode()
    def encode(self, planes: Planes, analysis: NDArray[np.int32], quality: float, guide: Guide) -> CodedGop:
        """Code at quality (crf) 0 to 63."""
        used = used_corrections(planes.luma.shape[0])
        pass_ = _Pass(self, qualities(self.module.config, quality, planes.luma.shape[0]), guide, used)
        luma, chroma = planes.luma, planes.chroma
        before = pass_.key(luma[:1], chroma[:1])
        decoded = [before]
        at = 0
        for count, fields in zip(used, _fields_of(analysis, self.runtime.device), strict=True):
            end = at + count + 1
            after = pass_.predicted("anchor", luma[end : end + 1], chroma[end : end + 1], (*before, fields[:, 0, :2]))
            if count:
                slots = [at + 1 + min(slot, count) for slot in range(BETWEEN)]  # an unused slot repeats the anchor
                shares = torch.tensor([_shares(count)], device=self.runtime.device)
                middle = pass_.predicted("between", luma[slots], chroma[slots], (*before, *after, fields, shares))
                decoded.append((middle[0][:count], middle[1][:count]))
            decoded.append(after)
            before, at = after, end
        motion = PassStream("fields", analysis.shape, encode_fields(analysis, used, self.fields))
        pictures = Planes(*(torch.cat(parts) for parts in zip(*decoded, strict=True)))
        return CodedGop([*pass_.streams(), motion], lambda: pictures)

    @torch.inference_mode()
    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Symbols:
        """Decode every integer of a GOP of padded size height x width."""
        used = used_corrections(frames)
        counts = {"key": 1, "anchor": len(used), "between": sum(count > 0 for count in used)}
        quality_of = qualities(self.module.config, quality, frames)
        latents: dict[str, Ints] = {}
        for kind, count in counts.items():
            coder = getattr(self.module, kind)
            shape = (count, coder.latents, height // coder.patch, width // coder.patch)
            latents[kind] = np.zeros(shape, np.int32)
            if count:
                with read.passes(f"{kind}.y", shape) as read_pass:
                    for number in range(count):
                        other = _other(kind, number, used, latents)
                        walked = self.contexts[kind].walk(*shape[2:], quality_of[kind], other, _reading(read_pass))
                        latents[kind][number] = walked.T.reshape(shape[1:])
        vectors = (height // BLOCK, width // BLOCK)
        with read.passes("fields", (len(used), 1 + BETWEEN, COMPONENTS, *vectors)) as read_pass:
            fields = decode_fields((len(used), *vectors), used, self.fields, read_pass)
        return Symbols(frames, fields, latents)

    def integers(self, symbols: Symbols) -> dict[str, NDArray[np.int32]]:
        """Every array of a GOP by the name of its stream."""
        return {f"{kind}.y": array for kind, array in symbols.latents.items()} | {"fields": symbols.fields}

    def latents(self, symbols: Symbols, quality: float, guide: Guide, height: int,
                width: int) -> dict[str, NDArray[np.int32]]:
        """The integers: in a closed loop latents mean nothing without the pictures they were predicted from."""
        return self.integers(symbols)

    def unquantised(self, analysis: Any, height: int, width: int) -> dict[str, NDArray[Any]]:
        """There are none: see `latents`."""
        raise UsageError(CLOSED)

    def paint(self, latents: Mapping[str, NDArray[Any]], frames: int, height: int, width: int,
              guide: Guide) -> Iterator[Planes]:
        """There are none: see `latents`."""
        raise UsageError(CLOSED)

    def price(self, quality: float) -> float:
        """The slope that the model was trained for."""
        return RATE_WEIGHT * float(nominal_step(torch.tensor(quality))) ** 2

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order: the key frame, then chunk after chunk."""
        device = self.runtime.device
        quality_of = qualities(self.module.config, quality, symbols.frames)

        def synthesise(kind: str, number: int, *state: Tensor) -> tuple[Tensor, ...]:
            latent = torch.from_numpy(symbols.latents[kind][number : number + 1].astype(np.float32)).to(device)
            q = torch.full((1,), quality_of[kind], device=device)
            return self.runtime.run(f"{kind}.synthesise", (latent, *state, q, *_guide(kind, guide)))

        before = synthesise("key", 0)
        yield Planes(*before)
        done = 0
        used = used_corrections(symbols.frames)
        for chunk, (count, fields) in enumerate(zip(used, _fields_of(symbols.fields, device), strict=True)):
            after = synthesise("anchor", chunk, *before, fields[:, 0, :2])
            parts = [after]
            if count:
                shares = torch.tensor([_shares(count)], device=device)
                middle = synthesise("between", done, *before, *after, fields, shares)
                parts.insert(0, (middle[0][:count], middle[1][:count]))
                done += 1
            yield Planes(*(torch.cat(planes) for planes in zip(*parts, strict=True)))
            before = after


class _Pass:
    """One encoding pass over a GOP: runs the steps, keeps the symbols."""

    def __init__(self, codec: CrossmodalCodec, quality_of: dict[str, float], guide: Guide, used: list[int]) -> None:
        self.codec, self.runtime, self.used = codec, codec.runtime, used
        self.quality_of, self.guide = quality_of, guide
        self.latents: dict[str, list[Ints]] = {}
        self.passes: dict[str, list[tuple[Ints, NDArray[np.uint8]]]] = {}

    def key(self, luma: Tensor, chroma: Tensor) -> tuple[Tensor, ...]:
        """Code a key frame and return what the decoder will have: luma, chroma."""
        q = self._quality("key")
        latent = self.runtime.run("key.analyse", (luma, chroma, q, *_guide("key", self.guide)))[0]
        contexts = self.codec.contexts["key"]
        rest = _rows(latent, contexts.order)
        plain = rest.copy()

        def expect(number: int, symbols: Ints) -> None:
            """Take off what the neighbours that are final tell; the first step has none."""
            if number:
                so_far = _latent(symbols[:, contexts.place], latent.shape).to(latent.device)
                means = self.runtime.run("key.context", (so_far, q))[0]
                leading = contexts.place[: means.shape[1]]
                rest[:, leading] = plain[:, leading] - _rows(means)

        symbols = self._walk("key", rest, latent.shape, expect).to(latent.device)
        return self.runtime.run("key.synthesise", (symbols, q, *_guide("key", self.guide)))

    def predicted(self, kind: str, luma: Tensor, chroma: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Code predicted pictures and return what the decoder will have: luma, chroma."""
        q = self._quality(kind)
        latent = self.runtime.run(f"{kind}.analyse", (luma, chroma, *state, q))[0]
        rest = _rows(latent, self.codec.contexts[kind].order)
        symbols = self._walk(kind, rest, latent.shape).to(latent.device)
        return self.runtime.run(f"{kind}.synthesise", (symbols, *state, q))

    def _quality(self, kind: str) -> Tensor:
        return torch.full((1,), self.quality_of[kind], device=self.runtime.device)

    def _walk(self, kind: str, rest: Floats, shape: torch.Size, begin: Callable[[int, Ints], None] | None = None) -> Tensor:
        """Round a latent, [h * w, L] in quantiser steps, channels in the order of coding -> whole numbers in `shape`."""
        passes = self.passes.setdefault(kind, [])
        done = self.latents.setdefault(kind, [])

        def take(places: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
            found = self.codec.quantiser.whole(rest[places, channels], table)
            kept = table >= SKIP
            passes.append((found[kept], table[kept]))
            return found

        other = _other(kind, len(done), self.used, self.latents)
        walked = self.codec.contexts[kind].walk(shape[2], shape[3], self.quality_of[kind], other, take,
                                                begin or (lambda number, symbols: None))
        done.append(walked.T.reshape(shape[1:]))
        return _latent(walked, shape)

    def streams(self) -> list[PassStream]:
        """All latents, pictures stacked."""
        return [PassStream(f"{kind}.y", (len(each), *each[0].shape), self.passes[kind])
                for kind, each in self.latents.items()]


def _other(kind: str, number: int, used: list[int], latents: Mapping[str, Sequence[Ints] | Ints]) -> Sizes | None:
    """Sizes that contexts of latent `number` of a kind see besides its own, [h * w, L].

    An anchor sees the one before; frames between two anchors see both, at each temporal frequency.
    """
    if kind == "key" or (kind == "anchor" and not number):
        return None
    anchors = latents["anchor"]
    if kind == "anchor":
        return _sizes(anchors[number - 1])
    chunk = [at for at, count in enumerate(used) if count][number]
    both = _sizes(anchors[chunk]) + (_sizes(anchors[chunk - 1]) if chunk else np.uint8(0))
    return np.repeat(both, BETWEEN, axis=1)


def _sizes(latent: Ints) -> Sizes:
    return sizes_of(np.ascontiguousarray(latent.reshape(latent.shape[0], -1).T))


def _reading(read: ReadPass) -> Take:
    """What takes symbols out of a stream."""

    def take(places: NDArray[np.intp], channels: slice, table: NDArray[np.uint8]) -> Ints:
        found = np.zeros(table.shape, np.int32)
        kept = table >= SKIP
        found[kept] = read(table[kept])
        return found

    return take


def _guide(kind: str, guide: Guide) -> tuple[Tensor, ...]:
    """The caption, for the networks that see it."""
    return (guide.text, guide.mask) if kind == "key" else ()


def _rows(latent: Tensor, order: NDArray[np.intp] | None = None) -> Floats:
    """[1, L, h, w] -> [h * w, L] on the CPU, channels in `order`."""
    channels: Floats = latent[0].flatten(1).float().cpu().numpy()
    return np.ascontiguousarray((channels if order is None else channels[order]).T)


def _latent(rows: Ints, shape: torch.Size) -> Tensor:
    """[h * w, L] -> [1, more, h, w], float32."""
    return torch.from_numpy(rows.T.astype(np.float32)).reshape(1, -1, *shape[2:])


def _fields_of(fields: NDArray[np.int32], device: torch.device) -> list[Tensor]:
    """int32 [n, 4, 3, h, w] -> n tensors float32 [1, 4, 3, h, w]."""
    return [torch.from_numpy(fields[i : i + 1].astype(np.float32)).to(device) for i in range(fields.shape[0])]
