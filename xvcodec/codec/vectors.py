"""Coding of one motion field at a time, for GOPs whose fields depend on each other in the order of a pyramid.

The same quincunx and the same contexts as `xvcodec.codec.fields`, which codes all fields of a GOP in waves. Roles are those
of `xvcodec.codec.field_contexts`: an anchor's vectors, the corrections that are coded first, and all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.field_contexts import COMPONENTS, FieldContexts, Ints, folded, unfolded
from xvcodec.codec.fields import Read, limit, predict
from xvcodec.codec.quincunx import quincunx

Passes = list[tuple[Ints, NDArray[np.uint8]]]
Take = Callable[[int, NDArray[np.intp], Ints, NDArray[np.uint8]], Ints]
"""(component, places [P], predictions [P], tables of signs and of sizes [2, P]) -> residuals [P]."""


@dataclass(frozen=True)
class Field:
    """A coded field, components row by row."""

    values: Ints  # [C, h * w]: quarter pixels, and sides where C is 3
    residuals: Ints  # [C, h * w]


def walk(height: int, width: int, contexts: FieldContexts, earlier: Sequence[Field], take: Take) -> Field:
    """Go over a field of height x width vectors; the role is the number of `earlier` fields that tell about it."""
    role = len(earlier)
    components = COMPONENTS if role else 2
    values = np.zeros((components, height * width), np.int32)
    residuals = np.zeros_like(values)
    for component in range(components):
        for number, step in enumerate(quincunx(height, width)):
            if not step.places.size:
                continue
            prediction, spread = predict(values[component], step)
            own = np.abs(residuals[:component, step.places]).sum(0, dtype=np.int32) if component else None
            features = [spread, np.abs(prediction), own]
            for field in earlier:
                alike = slice(component, component + 1) if component < len(field.residuals) else slice(0, 2)
                features.append(np.abs(field.residuals[alike, step.places]).sum(0, dtype=np.int32))
            found = take(component, step.places, prediction, contexts.index(role, component, number, features))
            residuals[component, step.places] = found
            values[component, step.places] = found + prediction
    return Field(values, residuals)


def writing(truth: Ints, passes: Passes) -> Take:
    """What appends the symbols of a field [C, h * w] to `passes`."""

    def take(component: int, places: NDArray[np.intp], prediction: Ints, tables: NDArray[np.uint8]) -> Ints:
        residual = truth[component, places] - prediction
        moved = residual != 0
        passes.append((np.sign(residual), tables[0]))
        if moved.any():
            passes.append((folded(np.abs(residual[moved]) - 1), tables[1][moved]))
        return residual

    return take


def reading(read: Read) -> Take:
    """What takes the symbols of a field out of a stream; raises DamagedError where a value leaves its range."""

    def take(component: int, places: NDArray[np.intp], prediction: Ints, tables: NDArray[np.uint8]) -> Ints:
        residual = np.sign(read(tables[0])).astype(np.int64)
        if (moved := residual != 0).any():
            residual[moved] *= 1 + unfolded(read(tables[1][moved]).astype(np.int64))
        if np.abs(residual + prediction).max(initial=0) > limit(component):
            raise DamagedError("a motion vector is out of its range: the file is damaged")
        return residual.astype(np.int32)

    return take
