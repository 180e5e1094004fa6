"""Motion that learned queries write, against vectors that a search finds: why the coder of hivae and onedva has the latter.

A transformer sees two pictures, low-passed and half of them masked while it learns, as Hi-VAE does; its learned queries
become an ordered row of numbers, of which it learns with ends missing, as One-DVA does. They are rounded and priced by
a Laplace distribution for each number. From any beginning of the row a second transformer writes a vector for each block of
8x8 pixels. Measured on pictures kept from training, four frames apart, in areas of 128x128 pixels: how well the luma
of one is predicted from the other, and what that costs. Both pictures are as the source has them.

    python tools/query_study.py CACHE CLIP ... [--minutes 40]

CACHE is one that `xvc train` has prepared. Prints Markdown, and how learning goes on stderr.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from xvc_bitstream.coders.base import bits

from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.fields import encode_apart
from xvcodec.codec.planes import to_planes
from xvcodec.codec.session import Session
from xvcodec.models.coder import AREA
from xvcodec.models.search import search_forward, step_of
from xvcodec.models.warp import BLOCK, warp
from xvcodec.models.weights import load_model
from xvcodec.rd.clips import find
from xvcodec.training.data import Clips
from xvcodec.training.rate import laplace_bits, noisy

SIDE, PATCH, WIDTH, LAYERS = 128, 16, 128, 4
PLACES = (SIDE // PATCH) ** 2
TOKENS, NUMBERS = 16, 8
APART = 4
MASKED = (0.3, 0.5)
BATCH, RATE, WARM = 16, 6e-4, 200
SCALES = (8, 4, 2, 1)
"""Pixels over which errors are averaged while learning: vectors that are far off have no gradient in single pixels."""
WORTH = 2.0**10
"""Bits a pixel that a mean squared error of one is worth, black to white being one: the slope of 6 dB a bit at 31.5 dB."""
LENGTHS = (1, 2, 4, 8, 16)
CRFS = (30.0, 45.0, 60.0, 75.0, 90.0)
"""Qualities that vectors are searched for: the coarser, the fewer bits they are worth."""


def transformer() -> nn.TransformerEncoder:
    """Layers of self-attention over rows [N, tokens, WIDTH]."""
    layer = nn.TransformerEncoderLayer(WIDTH, 8, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)


class Queries(nn.Module):
    """Pictures [N, 1, 128, 128] to numbers [N, TOKENS, NUMBERS], and these to vectors [N, 2, 16, 16] in quarter pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Linear(2 * (PATCH // 2) ** 2, WIDTH)
        self.places, self.asked = (nn.Parameter(0.02 * torch.randn(1, PLACES, WIDTH)) for _ in range(2))
        self.queries, self.known = (nn.Parameter(0.02 * torch.randn(1, TOKENS, WIDTH)) for _ in range(2))
        self.encoder, self.decoder = transformer(), transformer()
        self.write, self.read = nn.Linear(WIDTH, NUMBERS), nn.Linear(NUMBERS, WIDTH)
        self.scales = nn.Parameter(torch.zeros(TOKENS, NUMBERS))  # logarithms
        self.vectors = nn.Linear(WIDTH, 2 * (PATCH // BLOCK) ** 2)
        for parameter in self.vectors.parameters():
            nn.init.zeros_(parameter)

    def numbers(self, pair: Tensor) -> Tensor:
        """Both pictures [N, 2, 128, 128], -0.5 to 0.5."""
        low = F.avg_pool2d(pair, 2)
        x = self.see(F.pixel_unshuffle(low, PATCH // 2).flatten(2).transpose(1, 2)) + self.places
        if self.training:
            share = torch.empty(1).uniform_(*MASKED)
            x = x[:, torch.randperm(PLACES)[: int(PLACES * (1 - share))]]
        seen = self.encoder(torch.cat((self.queries.expand(len(x), -1, -1), x), dim=1))
        return 4.0 * self.write(seen[:, :TOKENS])

    def field(self, numbers: Tensor, length: int) -> Tensor:
        """Of the first `length` tokens."""
        told = (self.read(numbers) + self.known)[:, :length]
        x = self.decoder(torch.cat((self.asked.expand(len(told), -1, -1), told), dim=1))[:, :PLACES]
        rows = SIDE // PATCH
        return F.pixel_shuffle(16.0 * self.vectors(x).transpose(1, 2).unflatten(2, (rows, rows)), PATCH // BLOCK)

    def bits(self, numbers: Tensor, length: int) -> Tensor:
        """Of each picture, [N]."""
        return laplace_bits(numbers, self.scales.exp().expand_as(numbers))[:, :length].sum((1, 2))


def error(guess: Tensor, now: Tensor) -> Tensor:
    """What learning is to lessen: mean squared errors of means over areas of several sizes."""
    return torch.stack([F.avg_pool2d(guess - now, size).square().mean() for size in SCALES]).sum()


def learn(clips: Clips, minutes: float) -> Queries:
    """Train from nothing."""
    model = Queries()
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.01)
    start, step, said = time.monotonic(), 0, [0.0, 0.0, 0.0]
    while (spent := (time.monotonic() - start) / 60) < minutes:
        luma = clips.clips(BATCH, 1, SIDE).luma[:, :, 0]  # [N, 5, 128, 128]
        pair = torch.stack((luma[:, 0], luma[:, APART]), dim=1)
        length = int(torch.randint(1, TOKENS + 1, ()))
        with torch.autocast("cpu", torch.bfloat16):
            numbers = model.numbers(pair)
            field = model.field(noisy(numbers.float()), length)
        lost = error(warp(pair[:, :1], field.float()), pair[:, 1:])
        cost = model.bits(noisy(numbers.float()), length).mean() / SIDE**2
        optimiser.param_groups[0]["lr"] = RATE * min(1.0, step / WARM, 4.0 * (1.0 - spent / minutes) + 0.02)
        optimiser.zero_grad()
        (lost * WORTH + cost).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        still = error(pair[:, :1], pair[:, 1:])
        said = [a + float(b.detach()) for a, b in zip(said, (lost, still, cost * SIDE**2), strict=True)]
        if step % 200 == 0:
            print(f"{step} {spent:.1f} min, error {said[0] / said[1]:.3f} of that without motion, {said[2] / 200:.0f} bits",
                  file=sys.stderr, flush=True)
            said = [0.0, 0.0, 0.0]
    return model.eval()


def pairs(clip: Path, frames: int = 33) -> Iterator[tuple[Tensor, Tensor]]:
    """Luma of pictures four frames apart, [1, 1, H, W], cut to whole areas."""
    for each in find([clip], frames):
        luma = to_planes(list(each.read()), each.info.bit_depth, AREA, torch.device("cpu")).luma.float()
        luma = luma[..., : luma.shape[-2] // SIDE * SIDE, : luma.shape[-1] // SIDE * SIDE]
        for at in range(0, len(luma) - APART, 2 * APART):
            yield luma[at : at + 1], luma[at + APART : at + APART + 1]


def areas(luma: Tensor) -> Tensor:
    """[1, 1, H, W] as [areas, 1, 128, 128]."""
    return luma[0].unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE).reshape(-1, 1, SIDE, SIDE)


def psnr(guess: Tensor, now: Tensor) -> float:
    """Of luma, dB."""
    return float(-10.0 * torch.log10((guess - now).square().mean() + 1e-9))


@torch.inference_mode()
def measured(model: Queries, codec: CrossmodalCodec, before: Tensor, now: Tensor) -> dict[str, tuple[float, float]]:
    """Bits for an area of 128x128 and dB, way by way."""
    count = now.shape[-2] * now.shape[-1] / SIDE**2
    found = {"no motion": (0.0, psnr(before, now))}
    numbers = model.numbers(torch.cat((areas(before), areas(now)), dim=1)).round()
    for length in LENGTHS:
        guess = warp(areas(before), (model.field(numbers, length)).round())
        found[f"queries, {length} tokens"] = (float(model.bits(numbers, length).mean()), psnr(guess, areas(now)))
    for crf in CRFS:
        field = search_forward(now, before, step_of(crf), True)
        fields = np.zeros((1, 4, *field.shape[1:]), np.int32)
        fields[0, 0, :2] = field[0, :2].numpy().astype(np.int32)
        passes, _ = encode_apart(fields, [0], codec.fields, codec.field_prices)
        spent = sum(bits(*each, codec.fields.tables) for each in passes)
        found[f"vectors, searched for crf {crf:g}"] = (spent / count, psnr(warp(before, field[:, :2]), now))
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=40.0)
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    codec = Session.open(load_model("hivae"), "constriction", None, "torch", "cpu").codec
    assert isinstance(codec, CrossmodalCodec)
    model = learn(Clips(given.cache, motion=False), given.minutes)
    found = [measured(model, codec, *pair) for clip in given.clips for pair in pairs(clip)]
    print("| | bits for 128x128 pixels | PSNR of predicted luma |\n|---|---|---|")
    for name in found[0]:
        spent, gained = np.mean([each[name] for each in found], 0)
        print(f"| {name} | {spent:.0f} | {gained:.2f} dB |")


if __name__ == "__main__":
    main()
