"""Layers of a GOP's tokens: which coefficients of which pictures stand together, and what of them depends on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.coefficient_contexts import layout
from xvcodec.codec.token_contexts import KINDS, PLANES, SIZES, TOKEN, USUAL, Bytes, Ints
from xvcodec.models.coder import KEY_PATCH
from xvcodec.models.crossmodal import BETWEEN, PATCH

Member = tuple[str, int, int]
"""A picture of a layer, see `make_layers`."""
TOP, SUM_TOP = 15, 60
"""Sizes of coefficients and of tokens, as contexts see them, are at most these."""


@dataclass(eq=False)
class Layer:
    """Pictures of one kind, and what is known of their tokens so far.

    Args of the constructor:
        kind: number in KINDS. shape: pictures, rows and columns of patches, tokens of a patch.
        parents: for each picture related ones: layer and number there.
    """

    kind: int
    shape: tuple[int, int, int, int]
    parents: list[list[tuple[int, int]]]
    known: Ints = field(init=False)  # [patches, tokens, TOKEN]: size in units of the plane where the token was last
    signs: NDArray[np.int8] = field(init=False)
    plane: NDArray[np.int8] = field(init=False)  # [patches, tokens]: that plane; PLANES where nothing is known
    sizes: Bytes = field(init=False)  # [pictures, h + 2, w + 2, tokens, TOKEN], at most TOP, in units of the present plane
    sums: NDArray[np.int16] = field(init=False)  # [pictures, h + 2, w + 2, tokens]

    def __post_init__(self) -> None:
        count, height, width, tokens = self.shape
        patches = count * height * width
        self.known = np.zeros((patches, tokens, TOKEN), np.int32)
        self.signs = np.zeros((patches, tokens, TOKEN), np.int8)
        self.plane = np.full((patches, tokens), PLANES, np.int8)
        self.sizes = np.zeros((count, height + 2, width + 2, tokens, TOKEN), np.uint8)
        self.sums = np.zeros((count, height + 2, width + 2, tokens), np.int16)
        picture, row, column = np.unravel_index(np.arange(patches), (count, height, width))
        inner = (picture * (height + 2) + row + 1) * (width + 2) + column + 1
        self.inner = inner  # place of each patch in padded arrays
        self.row = width + 2
        self.spot = np.where((row + column) % 2, 2, row % 2)  # scans go over a quincunx: corners, middles, what is between
        self.filled = False  # whether anything is known
        self.next_to = layout(PATCH if tokens == USUAL else KEY_PATCH, 1).around
        self.active = [np.zeros(0, np.intp) for _ in range(tokens)]  # patches whose token is known, by token

    @property
    def between(self) -> bool:
        """Whether it is of frames between anchors."""
        return self.kind >= KINDS.index("frame")

    @property
    def padded(self) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
        """`sizes` and `sums`, one row a place."""
        return self.sizes.reshape(-1, *self.sizes.shape[3:]), self.sums.reshape(-1, self.sums.shape[3])

    def note(self, patches: NDArray[np.intp], token: int, plane: int) -> None:
        """Bring contexts of some tokens up to date: their sizes in units of a plane's threshold, rounded down."""
        self.filled = True
        sizes, sums = self.padded
        finer = self.plane[patches, token, None].astype(np.int32) - plane  # 1 when a plane begins; less than 0 once complete
        capped = np.minimum(self.known[patches, token] << np.maximum(finer, 0) >> np.maximum(-finer, 0), TOP)
        sizes[self.inner[patches], token] = capped
        sums[self.inner[patches], token] = np.minimum(capped.sum(1), SUM_TOP)


def make_layers(used: list[int], grid: tuple[int, int]) -> tuple[list[Layer], list[list[Member]]]:
    """The layers of a GOP.

    Args:
        used: how many frames lie between the anchors of each chunk.
        grid: rows and columns of patches of 16 pixels.
    Returns:
        the layers, and what the pictures of each are: ("key", 0, 0), ("anchor", number, 0) or ("between", chunk,
        frequency in time), numbers of anchors from 1 on.
    """
    anchors, named = len(used) + 1, list[tuple[str, list[Member]]]()
    distance = 1 << anchors.bit_length()
    while distance:
        apart = range(distance, anchors, 2 * distance)
        named.append(("pair" if distance > 1 else "anchor", [("anchor", number, 0) for number in apart]))
        distance //= 2
    named += [("detail" if time else "frame", [("between", chunk, time) for chunk, count in enumerate(used) if count])
              for time in range(BETWEEN)]
    named = [("key", [("key", 0, 0)]), *((kind, members) for kind, members in named if members)]
    where = {member: (layer, place) for layer, (_, members) in enumerate(named) for place, member in enumerate(members)}
    layers = []
    for kind, members in named:
        related = [[where[other] for other in _related(member) if other in where] for member in members]
        rows, columns = grid if kind == "key" else (2 * grid[0], 2 * grid[1])
        layers.append(Layer(KINDS.index(kind), (len(members), rows, columns, SIZES.get(kind, USUAL)), related))
    return layers, [members for _, members in named]


def _related(member: Member) -> list[Member]:
    """Of an anchor those beside it; of frames between both anchors, or their lowest frequency."""
    kind, number, time = member
    if kind == "key":
        return []
    if kind == "anchor":
        return [("anchor", number - 1, 0), ("anchor", number + 1, 0)]
    return [("between", number, 0)] if time else [("anchor", number, 0), ("anchor", number + 1, 0)]


def whole_of(layers: list[Layer], members: list[list[Member]], latents: Mapping[str, Ints], used: list[int]) -> list[Ints]:
    """Latents by kind, [latents, channels, h, w] each, as the tokens of layers, [patches, tokens, TOKEN] each."""
    found = []
    for layer, pictures in zip(layers, members, strict=True):
        planes = [_channels(latents, member, used) for member in pictures]
        rows = np.concatenate([plane.reshape(len(plane), -1).T for plane in planes])
        found.append(np.ascontiguousarray(rows).reshape(layer.known.shape))
    return found


def latents_of(layers: list[Layer], members: list[list[Member]], found: list[NDArray[np.float32]],
               used: list[int]) -> dict[str, NDArray[np.float32]]:
    """The inverse of `whole_of`."""
    counts = {"key": 1, "anchor": len(used), "between": sum(count > 0 for count in used)}
    sizes = {"key": SIZES["key"] * TOKEN, "anchor": USUAL * TOKEN, "between": USUAL * TOKEN * BETWEEN}
    height, width = layers[0].shape[1:3]
    grid = {"key": (height, width)}
    latents = {kind: np.zeros((counts[kind], sizes[kind], *grid.get(kind, (2 * height, 2 * width))), np.float32)
               for kind in counts}
    for layer, pictures, tokens in zip(layers, members, found, strict=True):
        for member, plane in zip(pictures, tokens.reshape(len(pictures), -1, layer.shape[3] * TOKEN), strict=True):
            own = _channels(latents, member, used)
            own[...] = plane.T.reshape(own.shape)
    return latents


def _channels(latents: Mapping[str, NDArray[np.generic]], member: Member, used: list[int]) -> NDArray[np.generic]:
    """A view of the channels of a picture, [channels, h, w]."""
    kind, number, time = member
    if kind == "between":
        return latents[kind][sum(count > 0 for count in used[:number])][time::BETWEEN]
    return latents[kind][number - (kind == "anchor")]
