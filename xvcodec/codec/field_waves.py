"""The waves that motion fields are coded in: what each brings, and what its residuals are predicted from.

Every eighth vector comes first; then, each time the spacing halves, the vectors amid four known diagonal neighbours
and those amid four known direct ones. A component is predicted by the mean of its neighbours' middle two, or at the finest
spacing, where 8x8 blocks may leave their 16x16 block's vector, by that vector. All chunks
go in waves: wave n codes step n of the first anchor's horizontal components, step n - 1 of its vertical ones,
and each further role (see `ROLES`) and each further chunk one step later still, so that every component sees what it depends
on. The third component is the blur of an anchor's prediction, or the side of a correction's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.field_contexts import COMPONENTS, ROLES, Asked, Ints
from xvcodec.codec.field_network import FieldNetwork
from xvcodec.codec.field_shifts import shifted
from xvcodec.errors import UsageError
from xvcodec.models.quincunx import STEPS, Step, quincunx

CORRECTIONS = 3
LIMIT = 2047
"""Largest component of a vector, quarter pixels."""
SIDES = 1
"""Blurs and sides are -1, 0 and 1."""


def waves_of(chunks: int) -> int:
    """Waves of so many chunks."""
    return STEPS + COMPONENTS - 1 + ROLES - 1 + max(chunks - 1, 0)


@dataclass(frozen=True)
class Part:
    """What one role and component of a chunk bring to a wave, for P places and n fields."""

    role: int
    component: int
    step: int  # of the quincunx
    columns: slice  # of the role's fields, n of them
    places: NDArray[np.intp]  # [P]
    prediction: Ints  # [P, n]
    index: NDArray[np.uint8]  # tables of signs and sizes as the contexts name them, [2, P, n]
    quiet: NDArray[np.bool_]  # where nothing that the contexts know of has moved, [P, n]

    def shifted(self, shifts: Ints) -> NDArray[np.uint8]:
        """Tables as a GOP with some shifts has them, [2, P * n]."""
        own = shifts[:, self.role, self.component]
        return shifted(self.index, self.quiet, self.step, own).reshape(2, -1)


class Waves:
    """The state of coding: for each role and component the values and residuals so far, int32 [h * w, n]."""

    def __init__(self, shape: tuple[int, int, int], used: Sequence[int]) -> None:
        chunks, height, width = shape
        if len(used) != chunks or not all(0 <= count <= CORRECTIONS for count in used):
            raise UsageError("each chunk of motion fields needs its number of corrections, 0 to 3")
        self.steps = quincunx(height, width)
        first = [min(2, count) for count in used]  # the middle correction tells most about the others
        rest = [(c, slot) for c in range(chunks) for slot in range(1, used[c] + 1) if slot != first[c]]
        cells = [[(c, 0) for c in range(chunks)], [(c, slot) for c, slot in enumerate(first) if slot], rest]
        self.cells = [np.array(pairs, np.intp).reshape(-1, 2).T for pairs in cells]  # [2, n]: chunks and slots
        self.columns = [_runs(pairs[0]) for pairs in self.cells]
        self.roles = sum(bool(pairs) for pairs in cells)
        empty = [[np.zeros((height * width, len(pairs)), np.int32) for _ in range(COMPONENTS)]
                 for role, pairs in enumerate(cells)]
        self.values, self.residuals = empty, [[plane.copy() for plane in planes] for planes in empty]

    def parts(self, number: int, contexts: FieldNetwork) -> list[Part]:
        """The parts of wave `number`, predicted from what the waves before it have filled in."""
        made = [self._part(role, component, number - role - component - chunk, columns)
                for role in range(ROLES) for component in range(COMPONENTS) for chunk, columns in self.columns[role]
                if 0 <= number - role - component - chunk < STEPS]
        made = [(part, asked) for part, asked in made if part["places"].size]
        tables = contexts.indices([asked for _, asked in made])
        return [Part(**part, index=index) for (part, _), index in zip(made, tables, strict=True)]

    def _part(self, role: int, component: int, step: int, columns: slice) -> tuple[dict[str, Any], Asked]:
        """A part but for its tables, and what they depend on."""
        here, chunks = self.steps[step], self.cells[role][0, columns]
        prediction, spread = predict(self.values[role][component][:, columns], here)
        own = self._size(role, range(component), here.places, columns) if component else None
        features = [spread, np.abs(prediction), own]
        for earlier in range(role):
            of = np.searchsorted(self.cells[earlier][0], chunks)  # of the same chunk
            alike = (component,) if earlier or component < 2 else (0, 1)
            features.append(self._size(earlier, alike, here.places, of))
        quiet = ~np.any([feature for feature in features if feature is not None], axis=0)
        beside = [*self._around(role, component, here, columns), *self._before(role, component, here, columns, prediction)]
        part = {"role": role, "component": component, "step": step, "columns": columns, "places": here.places,
                "prediction": prediction, "quiet": quiet}
        return part, Asked(role, component, step, features, beside)

    def _around(self, role: int, component: int, here: Step, columns: slice) -> tuple[Ints | None, Ints | None]:
        """Summed sizes of the residuals at the four neighbours: of the component, and of those before it."""
        if here.neighbours is None:
            return None, None
        near = [self._size(role, (component,), places, columns) for places in here.neighbours]
        others = [self._size(role, range(component), places, columns) for places in here.neighbours] if component else [None]
        return _sum(near), _sum(others)

    def _before(self, role: int, component: int, here: Step, columns: slice, prediction: Ints) -> tuple[Ints | None, ...]:
        """Of the chunk before: how far its value lies from the prediction, the size of its residual, and 1; None without."""
        count = columns.stop - columns.start
        earlier = slice(columns.start - count, columns.start)
        if columns.start < count or self.cells[role][0, earlier.start] != self.cells[role][0, columns.start] - 1:
            return None, None, None
        values = self.values[role][component][:, earlier][here.places]
        return np.abs(values - prediction), self._size(role, (component,), here.places, earlier), np.ones_like(prediction)

    def _size(self, role: int, components: Iterable[int], places: NDArray[np.intp],
              columns: slice | NDArray[np.intp]) -> Ints:
        """Summed sizes of residuals at some places of some fields, [P, n]."""
        total = _sum([np.abs(self.residuals[role][component][:, columns][places]) for component in components])
        assert total is not None
        return total

    def note(self, parts: Sequence[Part], anchors: Ints) -> None:
        """Fill in parts of anchors, whose fields [chunks, 3, h, w] are known."""
        for part in parts:
            truth = anchors[part.columns, part.component].reshape(-1, self.values[0][0].shape[0]).T[part.places]
            self.fill(part, truth.astype(np.int64) - part.prediction)

    def fill(self, part: Part, residuals: NDArray[np.int64]) -> None:
        """Note decoded residuals [P, n]; raises DamagedError where a vector would leave its range."""
        values = residuals + part.prediction
        if np.abs(values).max(initial=0) > limit(part.component):
            raise DamagedError("a motion vector is out of its range: the file is damaged")
        self.values[part.role][part.component][part.places, part.columns] = values
        self.residuals[part.role][part.component][part.places, part.columns] = residuals


def _sum(sizes: Sequence[Ints | None]) -> Ints | None:
    """The sum, None where there is nothing to sum."""
    total = [size for size in sizes if size is not None]
    return np.sum(total, axis=0, dtype=np.int32) if total else None


def _runs(chunks: NDArray[np.intp]) -> list[tuple[int, slice]]:
    """Each chunk and the columns of its fields, which lie side by side."""
    starts = [0, *(np.flatnonzero(np.diff(chunks)) + 1).tolist(), len(chunks)] if len(chunks) else [0]
    return [(int(chunks[start]), slice(start, stop)) for start, stop in itertools.pairwise(starts)]


def waves(fields: Ints, used: Sequence[int], contexts: FieldNetwork) -> Iterator[list[tuple[Part, Ints]]]:
    """The parts of each wave of some fields, with residuals [P, n]; arguments and errors as of `encode_fields`."""
    if fields.ndim != 5 or fields.shape[1:3] != (1 + CORRECTIONS, COMPONENTS) or fields.dtype != np.int32:
        raise UsageError(f"motion fields must be int32 [chunks, 4, {COMPONENTS}, h, w]")
    if any(fields[:, :, component].size and np.abs(fields[:, :, component]).max() > limit(component)
           for component in range(COMPONENTS)):
        raise UsageError(f"a motion vector is beyond {LIMIT} quarter pixels, or a side beyond {SIDES}: clamp them first")
    wave = Waves((fields.shape[0], *fields.shape[3:]), used)
    if any(fields[chunk, 1 + count :].any() for chunk, count in enumerate(used)):
        raise UsageError("corrections that are not used must be zero")
    area = fields.shape[3] * fields.shape[4]
    truth = [[np.ascontiguousarray(fields[chunks, slots, component].reshape(chunks.size, area).T)
              for component in range(COMPONENTS)] for role, (chunks, slots) in enumerate(wave.cells)]
    for number in range(waves_of(len(used))):
        found = [(part, truth[part.role][part.component][part.places, part.columns] - part.prediction)
                 for part in wave.parts(number, contexts)]
        for part, own in found:
            wave.fill(part, own.astype(np.int64))
        yield found


def limit(component: int) -> int:
    """Largest size of a component."""
    return LIMIT if component < 2 else SIDES


def predict(values: Ints, here: Step) -> tuple[Ints, Ints]:
    """What neighbours tell about the values at a step's P places, and how far they lie from it.

    Args:
        values: those known so far, row by row, [h * w] or [h * w, n].
    Returns:
        predictions and spreads, [P] or [P, n]; zero at the first step.
    """
    if here.neighbours is None:
        none = np.zeros((here.places.size, *values.shape[1:]), np.int32)
        return none, none
    a, b, c, d = values[here.neighbours]
    low_ab, low_cd, high_ab, high_cd = np.minimum(a, b), np.minimum(c, d), np.maximum(a, b), np.maximum(c, d)
    one, other = np.maximum(low_ab, low_cd), np.minimum(high_ab, high_cd)  # the middle two, in some order
    prediction = _halve(one + other) if here.parents is None else values[here.parents]
    return prediction, sum(np.abs(near - prediction) for near in (a, b, c, d))


def _halve(values: Ints) -> Ints:
    """Half of each value, rounded towards zero: what search finds leans to zero, and mirrored fields cost the same."""
    return (values + (values < 0)) >> 1
