"""Walking over the tokens of a GOP in the order of coding: the same steps for coding and for decoding, integers only.

All bits of the key frame and of anchors come first, on which everything else depends, then those of frames between. Within
both groups the order follows from what is known: plane after plane of bits; of each plane first the tokens that are known
or likely (the table of their flag is at least LIKELY), in all pictures, then the others. So any prefix is a coarser
description, in about the order of what a bit buys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.token_contexts import (
    BITS,
    LIKELY,
    PART,
    PLANES,
    SPOTS,
    SUBSTEPS,
    Bytes,
    Ints,
    TokenContexts,
)
from xvcodec.codec.token_layers import SUM_TOP, Layer
from xvcodec.codec.token_network import CHANCES
from xvcodec.codec.token_surroundings import Surroundings

Take = Callable[["Asked", Bytes], Ints]
"""(what is asked, tables [n]) -> symbols int32 [n]."""
CORRECTIONS = 2 * PLANES
"""Level of the corrections of motion, which stand behind all scans of the key frame and of anchors, levels 0 to 31, and
ahead of those of frames between, levels 33 to 64."""


def plane_of(depth: int) -> int:
    """The plane of bits of a scan."""
    return PLANES - 1 - depth // 2


@dataclass(frozen=True)
class Asked:
    """Whose symbols are wanted: of `patches` of a layer, their token; all of it (a flag) or some coefficients."""

    layer: Layer
    patches: NDArray[np.intp]  # [n]; [] for whether any token of a scan is flagged
    token: int
    depth: int  # 2 a plane, 0 to 31
    spot: int  # of all patches, see `Layer.spot`
    part: slice | None  # None for flags
    rest: NDArray[np.intp] | None = None  # the scan's patches, where only their common flag is asked for
    features: Ints | None = None  # what their tables depend on, [n, features] or [n, PART, features]: for fitting
    state: NDArray[np.intp] | None = None  # of tokens; of a common flag the richness: for fitting, too

    @property
    def plane(self) -> int:
        """Of bits."""
        return plane_of(self.depth)


class Walk:
    """The scans of a GOP in order; `scan` does the next one."""

    def __init__(self, layers: list[Layer], contexts: TokenContexts) -> None:
        self.layers, self.contexts, self.around = layers, contexts, Surroundings(layers)
        self.tokens = 0  # sent so far
        self.level = 0  # of the last scan: greater for finer ones
        self.depth = 0  # of the last scan, in its group
        self.scans = self._scans()
        self._anchors = 2 * PLANES * sum(layer.shape[3] for layer in layers if not layer.between)  # scans that are left
        self._likely: dict[tuple[int, int], NDArray[np.bool_]] = {}

    @property
    def anchored(self) -> bool:
        """Whether all tokens of the key frame and of anchors are there."""
        return self._anchors <= 0

    def _scans(self) -> Iterator[tuple[int, int, int, int]]:
        """Plane, phase, layer and token of every scan."""
        for between in (False, True):
            group = [number for number, layer in enumerate(self.layers) if layer.between == between]
            for plane in reversed(range(PLANES)) if group else ():
                self._begin(plane)
                for phase in (0, 1):
                    for number in group:
                        for token in range(self.layers[number].shape[3]):
                            yield plane, phase, number, token

    def scan(self, take: Take) -> bool:
        """Code or decode the next scan; False when there is none left. DamagedError for symbols that there are not."""
        found = next(self.scans, None)
        if found is None:
            return False
        plane, phase, number, token = found
        layer = self.layers[number]
        self._anchors -= not layer.between
        self.depth = 2 * (PLANES - 1 - plane) + phase
        self.level = self.depth + (CORRECTIONS + 1 if layer.between else 0)
        if not phase:
            everything = np.arange(len(layer.inner))
            likely = self._tables(layer, token, 0, self.around.tokens(layer, token, everything)) >= LIKELY
            likely[layer.active[token]] = True
            self._likely[number, token] = likely
            chosen = np.flatnonzero(likely)
        else:
            chosen = np.flatnonzero(~self._likely.pop((number, token)))
        new = chosen[layer.plane[chosen, token] == PLANES]
        old = layer.active[token] if not phase else chosen[:0]
        if phase and not self._any(layer, token, new, take):
            return True
        for spot in range(SPOTS):
            here, again = (patches[layer.spot[patches] == spot] for patches in (new, old))
            if here.size:
                features = self.around.tokens(layer, token, here)
                asked = Asked(layer, here, token, self.depth, spot, None, None, features)
                here = here[take(asked, self._tables(layer, token, spot, features)) != 0]
            self._coefficients(layer, token, spot, again, here, take)
        return True

    def _begin(self, plane: int) -> None:
        """Begin a plane: contexts count sizes in units of its threshold, also those of anchors that are complete."""
        for layer in self.layers:
            for token, patches in enumerate(layer.active):
                if patches.size:
                    layer.note(patches, token, plane)

    def _tables(self, layer: Layer, token: int, spot: int, features: Ints) -> Bytes:
        return self.contexts.of_flags(layer.kind, token, self.depth, spot, features)

    def _any(self, layer: Layer, token: int, new: NDArray[np.intp], take: Take) -> bool:
        """Whether any of some tokens, which are unlikely to, reaches the threshold."""
        if not new.size:
            return False
        known = sum(active.size for active in layer.active)
        richness = 0 if not known else 1 if known * 16 < new.size else 2
        asked = Asked(layer, new[:0], token, self.depth, 0, None, new, state=np.full(1, richness))
        return bool(take(asked, self.contexts.scans[layer.kind, richness : richness + 1])[0])

    def _coefficients(self, layer: Layer, token: int, spot: int, old: NDArray[np.intp], flagged: NDArray[np.intp],
                      take: Take) -> None:
        """The coefficients of some tokens that were known, and of some that are new."""
        patches, plane = np.concatenate((old, flagged)), plane_of(self.depth)
        if not patches.size:
            return
        self.tokens += patches.size
        layer.known[old, token] *= 2
        layer.plane[patches, token] = plane
        contexts, kind = self.contexts, layer.kind
        sizes, _ = layer.padded
        here = layer.inner[patches]
        near = sum(sizes[here + step, token].astype(np.int32) for step in (-1, 1, -layer.row, layer.row))
        parent = self.around.parents(layer, patches, token)
        state = np.zeros(patches.size, np.intp)
        state[old.size :] = 1
        own = np.minimum(layer.known[patches, token].sum(1), SUM_TOP)
        beside = self.around.tokens(layer, token, patches)[:, None].repeat(PART, 1)
        for number in range(SUBSTEPS):
            part = slice(number * PART, number * PART + PART)
            known = layer.known[patches, token, part]
            features = np.stack(np.broadcast_arrays(near[:, part], own[:, None], parent[:, part],
                                                    *self.around.coefficients(layer, here, token, part)), axis=-1)
            features = np.concatenate((features, beside), axis=-1)
            signs = contexts.of_signs(kind, token, plane, spot, part, state, features) + np.uint8(CHANCES)
            later = contexts.bits[kind, np.minimum(known >> 2, BITS - 1)]
            table = np.where(known > 0, later, signs)
            asked = Asked(layer, patches, token, self.depth, spot, part, None, features, state)
            found = take(asked, table.reshape(-1)).reshape(known.shape)
            if ((found < -1) | (found > 1)).any():  # escapes: sizes would leave what contexts count to
                raise DamagedError("a token has a symbol that there is not: the file is damaged")
            fresh = (known == 0) & (found != 0)
            layer.known[patches, token, part] = known + np.abs(found)
            layer.signs[patches, token, part] = np.where(fresh, found, layer.signs[patches, token, part])
            state = np.where((state == 1) & fresh.any(1), 2, state)
            own = np.minimum(own + np.abs(found).sum(1), SUM_TOP)
        layer.note(patches, token, plane)
        layer.active[token] = np.concatenate((layer.active[token], flagged)) if flagged.size else layer.active[token]
