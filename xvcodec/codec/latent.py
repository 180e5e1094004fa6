"""Coding one GOP with the latent family: its first frame as a picture, then every four frames as one latent frame.

Streams of a GOP of 1 + r frames with n = ceil(r / 4) chunks, h x w positions at 1/8 of the padded picture:
    image.z [1, Z, h/2, w/2]   image.y [1, 16, h, w]
    clip.z [n, Z, h/2, w/2]    clip.y [n, 16, h, w]
A last chunk with fewer than four frames repeats its last one; the decoder leaves the repetitions out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.family import CodedGop, CodedStream, Ends, Guide, Planes, ReadStream, Requirements
from xvcodec.codec.quantise import SKIP, Quantiser
from xvcodec.errors import UsageError
from xvcodec.models.coder import RATE_WEIGHT
from xvcodec.models.latent import CHUNK, LatentModel
from xvcodec.models.latent_stages import LATENTS, step_of
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime

PRICE = 0.1
"""Squared steps that one bit is worth when rounding: about the model's own 0.1155, because no picture is predicted from
another's decoded pixels."""


@dataclass(frozen=True)
class Symbols:
    """Every integer of a GOP; arrays as in the module's text."""

    frames: int
    streams: dict[str, NDArray[np.int32]]


def chunks_of(frames: int) -> int:
    """Latent frames behind the first one."""
    return -(-(frames - 1) // CHUNK)


class LatentCodec:
    """`GopCodec` of the latent family. Its analysis is the unquantised latents, [1 + n, 16, h, w]."""

    requirements = Requirements(multiple_of=16, max_gop_pixels=1 << 28)
    tunes: tuple[str, ...] = ("psnr",)

    def __init__(self, model: LoadedModel, runtime: Runtime) -> None:
        assert isinstance(model.module, LatentModel)
        self.module, self.runtime = model.module, runtime
        self.quantiser = Quantiser(model.tables, PRICE, SKIP)

    @torch.inference_mode()
    def analyse(self, planes: Planes, quality: float, guide: Guide, tune: str = "psnr") -> Tensor:
        """Latents of the GOP; quality plays no part."""
        latents: list[Tensor] = []
        for kind, frames in _spans(planes.luma.shape[0]):
            inputs = (planes.luma[frames], planes.chroma[frames], guide.text, guide.mask)
            latents += self.runtime.run(f"{kind}.analyse", inputs)
        return torch.cat(latents)

    @torch.inference_mode()
    def encode(self, planes: Planes, analysis: Tensor, quality: float, guide: Guide) -> CodedGop:
        """Code at quality (crf) 0 to 63."""
        q = torch.full((1,), quality, device=self.runtime.device)
        parts: dict[str, list[tuple[Tensor, Tensor]]] = {}
        decoded: list[Tensor] = []
        for number, latent in enumerate(analysis.split(1)):
            kind = _kind(number)
            before = self._before(decoded, latent)
            residual, z = self.runtime.run(f"{kind}.reduce", (latent, before, q))
            index = self.runtime.run(f"{kind}.scales", (z, q))[0]
            symbols = self.quantiser(residual, index)
            hyper = self.module.coder(kind).prior.scales.hyper_indices(q.cpu())
            parts.setdefault(f"{kind}.z", []).append((z, hyper.expand(z.shape)))
            parts.setdefault(f"{kind}.y", []).append((symbols, index))
            decoded += self.runtime.run(f"{kind}.restore", (symbols, z, before, q))
        streams = [CodedStream(name, torch.cat([symbols for symbols, _ in pairs]).cpu().numpy().astype(np.int32),
                               np.concatenate([_bytes(index) for _, index in pairs]), SKIP if name.endswith(".y") else 0)
                   for name, pairs in parts.items()]
        frames = planes.luma.shape[0]
        return CodedGop(streams, partial(self._pictures, decoded, frames, quality, guide))

    @torch.inference_mode()
    def decode_symbols(self, frames: int, height: int, width: int, quality: float, read: ReadStream) -> Symbols:
        """Decode every integer of a GOP of padded size height x width."""
        size = (height // 16, width // 16)
        q = torch.full((1,), quality)
        streams: dict[str, NDArray[np.int32]] = {}
        for kind, count in (("image", 1), ("clip", chunks_of(frames))):
            if not count:
                continue
            hyper = self.module.coder(kind).prior.scales.hyper_indices(q).expand(count, -1, *size)
            streams[f"{kind}.z"] = z = read(f"{kind}.z", _bytes(hyper))
            index = [_bytes(self.runtime.run(f"{kind}.scales", (self._floats(one), q.to(self.runtime.device)))[0])
                     for one in np.split(z, count)]
            streams[f"{kind}.y"] = read(f"{kind}.y", np.concatenate(index), SKIP)
        return Symbols(frames, streams)

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures in display order: the first, then chunk after chunk."""
        return self.synthesise(self.restore(symbols, quality), symbols.frames, quality, guide)

    def restore(self, symbols: Symbols, quality: float) -> Iterator[Tensor]:
        """Decoded latent frames [1, 16, h, w] in order."""
        q = torch.full((1,), quality, device=self.runtime.device)
        decoded: list[Tensor] = []
        for number in range(1 + chunks_of(symbols.frames)):
            kind, at = _kind(number), max(0, number - 1)
            y, z = (self._floats(symbols.streams[f"{kind}.{part}"][at : at + 1]) for part in "yz")
            decoded = list(self.runtime.run(f"{kind}.restore", (y, z, self._before(decoded, y, number), q)))
            yield decoded[0]

    def synthesise(self, latents: Iterator[Tensor], frames: int, quality: float, guide: Guide) -> Iterator[Planes]:
        """Pictures of latent frames [1, 16, h, w]; `quality` 0 for latents that were never quantised."""
        q = torch.full((1,), quality, device=self.runtime.device)
        for (kind, shown), latent in zip(_spans(frames), latents, strict=True):
            luma, chroma = self.runtime.run(f"{kind}.synthesise", (latent, q, guide.text, guide.mask))
            count = len(dict.fromkeys(shown))
            yield Planes(luma[:count], chroma[:count])

    def integers(self, symbols: Symbols) -> dict[str, NDArray[np.int32]]:
        """Every array of a GOP by the name of its stream."""
        return symbols.streams

    @torch.inference_mode()
    def latents(self, symbols: Symbols, quality: float, guide: Guide, height: int, width: int) -> dict[str, NDArray[Any]]:
        """`latent`: decoded latent frames, float32 [1 + n, 16, ceil(height / 8), ceil(width / 8)]."""
        return self.unquantised(torch.cat(list(self.restore(symbols, quality))), height, width)

    def unquantised(self, analysis: Tensor, height: int, width: int) -> dict[str, NDArray[Any]]:
        """See `latents`."""
        return {"latent": analysis[:, :, : -(-height // 8), : -(-width // 8)].contiguous().cpu().numpy()}

    @torch.inference_mode()
    def paint(self, latents: Mapping[str, NDArray[Any]], frames: int, height: int, width: int,
              guide: Guide) -> Iterator[Planes]:
        """Pictures of `latent`, in the form of `latents`, repeated at the edges where h or w is odd."""
        given, wanted = latents["latent"], (1 + chunks_of(frames), LATENTS, -(-height // 8), -(-width // 8))
        if given.shape != wanted or frames < 1:
            raise UsageError(f"{frames} frames of {width}x{height} have latents {list(wanted)} (1 + the others over "
                             f"4, {LATENTS}, height and width over 8, all rounded up), not {list(given.shape)}")
        whole = torch.from_numpy(np.ascontiguousarray(given, np.float32)).to(self.runtime.device)
        padded = F.pad(whole, (0, whole.shape[3] % 2, 0, whole.shape[2] % 2), mode="replicate")
        return self.synthesise(iter(padded.split(1)), frames, 0.0, guide)

    def ends(self, symbols: Any, quality: float) -> Ends | None:
        """See `GopCodec`."""
        return None

    def price(self, quality: float) -> float:
        """The slope that the model was trained for."""
        return RATE_WEIGHT * float(step_of(torch.tensor(quality))) ** 2

    def _pictures(self, decoded: list[Tensor], frames: int, quality: float, guide: Guide) -> Planes:
        with torch.inference_mode():
            parts = list(self.synthesise(iter(decoded), frames, quality, guide))
        return Planes(torch.cat([part.luma for part in parts]), torch.cat([part.chroma for part in parts]))

    def _before(self, decoded: list[Tensor], like: Tensor, number: int | None = None) -> Tensor:
        """The latent frame before the next one; zero for the first two, before which there is none of four frames."""
        number = len(decoded) if number is None else number
        return decoded[-1] if number > 1 else torch.zeros(1, LATENTS, *like.shape[2:], device=self.runtime.device)

    def _floats(self, array: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self.runtime.device)


def _kind(number: int) -> str:
    return "clip" if number else "image"


def _spans(frames: int) -> Iterator[tuple[str, list[int]]]:
    """Kind and frames of each latent frame of a GOP; the last frame is repeated where a chunk wants more."""
    yield "image", [0]
    for chunk in range(chunks_of(frames)):
        yield "clip", [min(frames - 1, 1 + chunk * CHUNK + slot) for slot in range(CHUNK)]


def _bytes(index: Tensor) -> NDArray[np.uint8]:
    """Whole float32 table indices -> a uint8 array."""
    return index.to(torch.uint8).cpu().contiguous().numpy()
