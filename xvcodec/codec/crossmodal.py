"""Coding one GOP with the crossmodal family: key frame, then chunk after chunk, closed loop.

Streams of a GOP of 1 + n chunks, all integers, h x w positions at 1/16:
    key.z [1, Z, h/2, w/2]     key.y [1, L, h, w]
    anchor.z [n, Z, h/2, w/2]    anchor.y [n, L, h, w]
    between.z [m, Z, h/2, w/2]   between.y [m, L, h, w]   (m = n, or n - 1 when the last chunk is a lone anchor)
    fields [n, 4, 3, 2 h, 2 w], coded in passes (xvcodec.codec.fields).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.family import CodedGop, CodedStream, Guide, PassStream, Planes, ReadStream, Requirements
from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.fields import FieldContexts, decode_fields, encode_fields
from xvcodec.codec.quantise import SKIP, Quantiser
from xvcodec.errors import UsageError
from xvcodec.models.coder import RATE_WEIGHT, nominal_step
from xvcodec.models.context import PASSES, pass_of
from xvcodec.models.crossmodal import BETWEEN, CHUNK, Crossmodal, CrossmodalConfig
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
    latents: dict[str, NDArray[np.int32]]  # "key.z", "key.y", ...


class CrossmodalCodec:
    """`GopCodec` of the crossmodal family."""

    requirements = Requirements(multiple_of=32, max_gop_pixels=1 << 28)

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        assert isinstance(model.module, Crossmodal)
        self.module, self.runtime = model.module, runtime
        self.contexts: FieldContexts = model.extras
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
        pass_ = _Pass(self, qualities(self.module.config, quality, planes.luma.shape[0]), guide)
        used = used_corrections(planes.luma.shape[0])
        luma, chroma = planes.luma, planes.chroma
        before = pass_.code("key", luma[:1], chroma[:1], ())
        decoded = [before[:2]]
        at = 0
        for count, fields in zip(used, _fields_of(analysis, self.runtime.device), strict=True):
            end = at + count + 1
            after = pass_.code("anchor", luma[end : end + 1], chroma[end : end + 1], (*before, fields[:, 0, :2]))
            if count:
                slots = [at + 1 + min(slot, count) for slot in range(BETWEEN)]  # an unused slot repeats the anchor
                shares = torch.tensor([_shares(count)], device=self.runtime.device)
                middle = pass_.code("between", luma[slots], chroma[slots], (*before[:2], *after[:2], fields, shares))
                decoded.append((middle[0][:count], middle[1][:count]))
            decoded.append(after[:2])
            before, at = after, end
        motion = PassStream("fields", analysis.shape, encode_fields(analysis, used, self.contexts))
        pictures = Planes(*(torch.cat(parts) for parts in zip(*decoded, strict=True)))
        return CodedGop([*pass_.streams(), motion], lambda: pictures)

    @torch.inference_mode()
    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Symbols:
        """Decode every integer of a GOP of padded size height x width."""
        used = used_corrections(frames)
        h, w = height // 16, width // 16
        counts = {"key": 1, "anchor": len(used), "between": sum(count > 0 for count in used)}
        latents: dict[str, NDArray[np.int32]] = {}
        quality_of = qualities(self.module.config, quality, frames)
        for kind, count in counts.items():
            if not count:
                continue
            scales = getattr(self.module, kind).prior.scales
            q = torch.full((1,), quality_of[kind])
            hyper = scales.hyper_indices(q)[0].expand(-1, h // 2, w // 2)
            latents[f"{kind}.z"] = z = read(f"{kind}.z", _bytes(hyper.expand(count, -1, -1, -1)))
            index = [self._scales(kind, z[i : i + 1], quality_of[kind]) for i in range(count)]
            latents[f"{kind}.y"] = read(f"{kind}.y", np.concatenate(index), SKIP)
        vectors = (height // BLOCK, width // BLOCK)
        shape = (len(used), 1 + BETWEEN, COMPONENTS, *vectors)
        fields = decode_fields((len(used), *vectors), used, self.contexts, read.passes("fields", shape))
        return Symbols(frames, fields, latents)

    def integers(self, symbols: Symbols) -> dict[str, NDArray[np.int32]]:
        """Every array of a GOP by the name of its stream."""
        return {**symbols.latents, "fields": symbols.fields}

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

    def _scales(self, kind: str, z: NDArray[np.int32], quality: float) -> NDArray[np.uint8]:
        device = self.runtime.device
        inputs = (torch.from_numpy(z.astype(np.float32)).to(device), torch.full((z.shape[0],), quality, device=device))
        return _bytes(self.runtime.run(f"{kind}.scales", inputs)[0])

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order: the key frame, then chunk after chunk."""
        device = self.runtime.device
        quality_of = qualities(self.module.config, quality, symbols.frames)

        def synthesise(kind: str, number: int, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            parts = (symbols.latents[f"{kind}.{part}"][number : number + 1].astype(np.float32) for part in "yz")
            latents = (torch.from_numpy(part).to(device) for part in parts)
            q = torch.full((1,), quality_of[kind], device=device)
            return self.runtime.run(f"{kind}.synthesise", (*latents, *state, q, guide.text, guide.mask))

        before = synthesise("key", 0, ())
        yield Planes(*before[:2])
        done = 0
        used = used_corrections(symbols.frames)
        for chunk, (count, fields) in enumerate(zip(used, _fields_of(symbols.fields, device), strict=True)):
            after = synthesise("anchor", chunk, (*before, fields[:, 0, :2]))
            parts = [after[:2]]
            if count:
                shares = torch.tensor([_shares(count)], device=device)
                middle = synthesise("between", done, (*before[:2], *after[:2], fields, shares))
                parts.insert(0, (middle[0][:count], middle[1][:count]))
                done += 1
            yield Planes(*(torch.cat(planes) for planes in zip(*parts, strict=True)))
            before = after


class _Pass:
    """One encoding pass over a GOP: runs the steps, keeps the symbols."""

    def __init__(self, codec: CrossmodalCodec, quality_of: dict[str, float], guide: Guide) -> None:
        self.codec, self.runtime = codec, codec.runtime
        self.quality_of, self.guide = quality_of, (guide.text, guide.mask)
        self.parts: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def code(self, kind: str, luma: Tensor, chroma: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Code the pictures and return what the decoder will have: luma, chroma (and memory)."""
        q = torch.full((1,), self.quality_of[kind], device=self.runtime.device)
        residual, z = self.runtime.run(f"{kind}.analyse", (luma, chroma, *state, q, *self.guide))
        index = self.runtime.run(f"{kind}.scales", (z, q))[0]
        symbols = self.codec.quantiser(residual, index)
        if kind == "key":
            symbols = self._in_passes(residual, symbols, index, z, q)
        scales = getattr(self.codec.module, kind).prior.scales
        hyper = scales.hyper_indices(q.cpu())
        self.parts.setdefault(f"{kind}.z", []).append((z, hyper.expand(z.shape)))
        self.parts.setdefault(f"{kind}.y", []).append((symbols, index))
        return self.runtime.run(f"{kind}.synthesise", (symbols, z, *state, q, *self.guide))

    def _in_passes(self, residual: Tensor, symbols: Tensor, index: Tensor, z: Tensor, q: Tensor) -> Tensor:
        """Symbols of a key frame: each pass is rounded when the ones that it depends on are final."""
        channels = self.codec.module.config.context
        order = pass_of(symbols.shape[-2], symbols.shape[-1], symbols.device)
        first, rest = symbols[:, :channels], symbols[:, channels:]
        for number in range(1, PASSES):
            added = self.runtime.run("key.context", (torch.cat((first, rest), dim=1), z, q))[0]
            rounded = self.codec.quantiser(residual[:, :channels] - added, index[:, :channels])
            first = torch.where(order == number, rounded, first)
        return torch.cat((first, rest), dim=1)

    def streams(self) -> list[CodedStream]:
        """All latents, chunks stacked."""
        return [CodedStream(name, torch.cat([s for s, _ in parts]).cpu().numpy().astype(np.int32),
                            np.concatenate([_bytes(index) for _, index in parts]), SKIP if name.endswith(".y") else 0)
                for name, parts in self.parts.items()]


def _bytes(index: Tensor) -> NDArray[np.uint8]:
    """Whole float32 table indices -> a uint8 array."""
    return index.to(torch.uint8).cpu().contiguous().numpy()


def _fields_of(fields: NDArray[np.int32], device: torch.device) -> list[Tensor]:
    """int32 [n, 4, 3, h, w] -> n tensors float32 [1, 4, 3, h, w]."""
    return [torch.from_numpy(fields[i : i + 1].astype(np.float32)).to(device) for i in range(fields.shape[0])]
