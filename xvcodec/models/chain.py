"""Motion-compensated prediction of a GOP in a chain: a canvas, and what every other picture differs from its prediction.

The first picture is the canvas. Anchors, every CHUNK-th frame, are predicted from the anchor before; frames between two
anchors are predicted from both, and the differences of a chunk go through a DCT over time. Anchors and frames between are
those of `xvcodec.codec.fields`. A decoder adds up whatever has arrived of the differences, so any part of them describes all
pictures. An encoder that knows how finely they will be sent predicts from the pictures that a decoder will then have, and
every anchor mends what the ones before it left (a closed loop); a decoder that has less drifts away from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xvcodec.models.patches import dct
from xvcodec.models.warp import SHARPNESS, warp_yuv

CHUNK = 4
BETWEEN = CHUNK - 1
CANVAS, ANCHOR, FRAME = 3.5, 2.0, 1.0
"""Gains: how much finer the canvas (where all moves) and differences of anchors are sent than those of frames between, as
others depend on them."""
Sent = Callable[[int, "Pictures"], "Pictures"]
"""(number of an anchor, its difference) -> the difference that a decoder will have."""


def chunks_of(frames: int) -> list[int]:
    """How many frames lie between the anchors of each chunk of a GOP."""
    rest = frames - 1
    return [min(BETWEEN, rest - start - 1) for start in range(0, rest, CHUNK)]


@dataclass
class Pictures:
    """N pictures: luma [N, 1, H, W], chroma [N, 2, H/2, W/2]; or differences of such."""

    luma: Tensor
    chroma: Tensor

    def __getitem__(self, which: slice) -> Pictures:
        return Pictures(self.luma[which], self.chroma[which])

    def __add__(self, other: Pictures) -> Pictures:
        return Pictures(self.luma + other.luma, self.chroma + other.chroma)

    def __sub__(self, other: Pictures) -> Pictures:
        return Pictures(self.luma - other.luma, self.chroma - other.chroma)

    def planes(self) -> tuple[Tensor, Tensor]:
        """Both planes."""
        return self.luma, self.chroma


def stack(pictures: Sequence[Pictures]) -> Pictures:
    """One after the other."""
    return Pictures(torch.cat([each.luma for each in pictures]), torch.cat([each.chroma for each in pictures]))


class Motion:
    """Predictions along the vectors of a GOP.

    Args of the constructor:
        fields: whole float32 [chunks, 4, 3, H/8, W/8], as `xvcodec.codec.fields` codes them.
        frames: of the GOP.
    """

    def __init__(self, fields: Tensor, frames: int) -> None:
        self.fields, self.used = fields, chunks_of(frames)
        self.canvas = canvas_gain(fields)

    def anchor(self, number: int, before: Pictures) -> Pictures:
        """An anchor, 1 or later, as the one before predicts it."""
        return _moved(before, self.fields[number - 1, :1, :2])

    def between(self, chunk: int, before: Pictures, after: Pictures) -> Pictures:
        """The frames between two anchors as these predict them: the mean of both, or one of them."""
        used = self.used[chunk]
        anchor, corrections = self.fields[chunk, :1, :2], self.fields[chunk, 1 : 1 + used, :2]
        share = (torch.arange(used, device=anchor.device) + 1.0)[:, None, None, None] / (used + 1)
        forward = corrections + torch.floor(anchor * share + 0.5)
        part = 0.5 * (1 + self.fields[chunk, 1 : 1 + used, 2:])
        return _weighted(_moved(before, forward), part) + _weighted(_moved(after, forward - anchor), 1 - part)


def canvas_gain(fields: Tensor) -> float:
    """Gain of the canvas: twice as much where all blocks of anchors stand still, for then all pictures look like it.

    Args:
        fields: whole numbers [chunks, 4, 3, H/8, W/8].
    """
    vectors = fields[:, 0, :2].abs().amax(1)
    return CANVAS * (1.0 + float((vectors == 0).sum()) / max(1, vectors.numel()))


def _moved(source: Pictures, field: Tensor) -> Pictures:
    """One picture sampled along each of some fields [N, 2, H/8, W/8]."""
    luma, chroma = (plane.expand(field.shape[0], *plane.shape[1:]) for plane in source.planes())
    return Pictures(*warp_yuv(luma, chroma, field, SHARPNESS))


def _weighted(pictures: Pictures, share: Tensor) -> Pictures:
    """Pictures times a weight for each block, [N, 1, H/8, W/8]."""
    def wide(plane: Tensor) -> Tensor:
        scale = plane.shape[-1] // share.shape[-1]
        return plane * share.repeat_interleave(scale, 2).repeat_interleave(scale, 3)

    return Pictures(wide(pictures.luma), wide(pictures.chroma))


@dataclass
class Bands:
    """A GOP as differences."""

    anchors: list[Pictures]  # the canvas, and of every other anchor its difference
    between: list[Pictures | None]  # by chunk: differences of the frames between, by frequency in time


def differences(pictures: Pictures, motion: Motion, sent: Sent = lambda number, change: change) -> Bands:
    """Pictures of a GOP -> its canvas and differences from what a decoder will have, see `Sent`."""
    places = [0]
    for used in motion.used:
        places.append(places[-1] + used + 1)
    anchors = [pictures[:1]]
    known = [sent(0, anchors[0])]
    for number, place in enumerate(places[1:], 1):
        expected = motion.anchor(number, known[-1])
        anchors.append(pictures[place : place + 1] - expected)
        known.append(expected + sent(number, anchors[-1]))
    between: list[Pictures | None] = []
    for chunk, used in enumerate(motion.used):
        here = pictures[places[chunk] + 1 : places[chunk + 1]]
        between.append(_in_time(here - motion.between(chunk, *known[chunk : chunk + 2]), False) if used else None)
    return Bands(anchors, between)


def pictures_of(bands: Bands, motion: Motion) -> Pictures:
    """The inverse of `differences`."""
    anchors = bands.anchors[:1]
    for number, change in enumerate(bands.anchors[1:], 1):
        anchors.append(change + motion.anchor(number, anchors[-1]))
    made = [anchors[0]]
    for chunk, part in enumerate(bands.between):
        if part is not None:
            made.append(_in_time(part, True) + motion.between(chunk, *anchors[chunk : chunk + 2]))
        made.append(anchors[chunk + 1])
    return stack(made)


def _in_time(change: Pictures, back: bool) -> Pictures:
    """The DCT over the frames of a chunk, or its inverse."""
    matrix = dct(change.luma.shape[0]).to(change.luma)
    matrix = matrix.t() if back else matrix
    return Pictures(*(torch.tensordot(matrix, plane, 1) for plane in change.planes()))
