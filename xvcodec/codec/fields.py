"""Lossless coding of a GOP's motion fields: exact, integers only, few coder calls.

Residuals come wave by wave (`xvcodec.codec.field_waves`), so that a GOP needs few calls of the entropy coder: one for the
shifts of tables, then two for each wave, the signs of all residuals (most are zero) and the sizes of those that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.field_contexts import COMPONENTS, ROLES, Ints, folded, unfolded
from xvcodec.codec.field_network import SHIFTS, SIZES, FieldNetwork
from xvcodec.codec.field_shifts import Survey, shape_of
from xvcodec.codec.field_waves import CORRECTIONS, Part, Waves, waves, waves_of
from xvcodec.codec.shifts import Pass, Prices, said, tables_of, within

Read = Callable[[NDArray[np.uint8]], Ints]
"""Table indices uint8 [n] of the next symbols -> symbols int32 [n]."""


def passes_of(chunks: int) -> int:
    """Calls of the entropy coder for so many chunks."""
    return 1 + 2 * waves_of(chunks)


def encode_fields(fields: Ints, used: Sequence[int], contexts: FieldNetwork, prices: Prices) -> list[Pass]:
    """Motion fields to symbols.

    Args:
        fields: int32 [chunks, 4, 3, h, w]: anchor field and corrections of each chunk; quarter pixels within +-LIMIT,
            blurs and sides within +-SIDES.
        used: number of corrections in each chunk, 0 to 3; the others must be zero and cost nothing.
        contexts: as the decoder will have them.
        prices: what symbols cost with the tables of the contexts.
    Returns:
        `passes_of` pairs of symbols int32 [n] and table indices uint8 [n]; n may be 0.
    Raises:
        UsageError: the fields are not as described.
    """
    return _passes(list(waves(fields, used, contexts)), range(ROLES), prices)


def encode_apart(fields: Ints, used: Sequence[int], contexts: FieldNetwork, prices: Prices) -> tuple[list[Pass], list[Pass]]:
    """The same in two streams: of anchors' fields alone, and of corrections, which need them; see `decode_fields`."""
    found = list(waves(fields, used, contexts))
    anchors, corrections = (_passes(found, roles, prices) for roles in (range(1), range(1, ROLES)))
    return anchors, corrections


def _passes(waves: Sequence[Sequence[tuple[Part, Ints]]], roles: range, prices: Prices) -> list[Pass]:
    """What codes some of the roles."""
    found = [[(part, own) for part, own in wave if part.role in roles] for wave in waves]
    last = max((part.role for wave in found for part, _ in wave), default=roles.start - 1)
    survey = Survey(last + 1 - roles.start, prices)
    for part, own in (each for wave in found for each in wave):
        flat = own.ravel()
        survey.note(part.role - roles.start, part.component, part.step, part.index.reshape(2, -1), part.quiet.ravel(),
                    np.sign(flat), folded(np.abs(flat) - 1))
    own_shifts = survey.best()
    shifts, passes = _of_all(own_shifts, roles.start), [said(own_shifts, SHIFTS)]
    for wave in found:
        flat = np.concatenate([np.zeros(0, np.int32), *(own.ravel() for _, own in wave)])
        signs, sizes = _indices([part for part, _ in wave], shifts)
        passes += [(np.sign(flat), signs), (folded(np.abs(flat[flat != 0]) - 1), sizes[flat != 0])]
    return passes


def _of_all(shifts: Ints, first: int) -> Ints:
    """Shifts of roles from `first` on, for all of them."""
    whole = np.zeros(shape_of(ROLES), np.int32)
    whole[:, first : first + shifts.shape[1]] = shifts
    return whole


def decode_fields(shape: tuple[int, int, int], used: Sequence[int], contexts: FieldNetwork, read: Read,
                  anchors: Ints | None = None) -> Ints:
    """The inverse of `encode_fields`, or of a stream of `encode_apart`.

    Args:
        shape: (chunks, h, w) of the fields.
        used, contexts: as they were for the encoder.
        read: decodes one pass; called once for each pass that has symbols, in order.
        anchors: their fields, int32 [chunks, 3, h, w], if only corrections are read. (Without corrections: `used` of zeros.)
    Returns:
        fields, int32 [chunks, 4, 3, h, w].
    Raises:
        DamagedError: a vector leaves +-LIMIT or a side +-SIDES, or tables shift too far; UsageError: `used` does not fit.
    """
    wave = Waves(shape, used)
    first = 0 if anchors is None else 1
    own = np.zeros(shape_of(max(0, wave.roles - first)), np.int32)
    if own.size:
        own = within(read(tables_of(own.size, SHIFTS))).reshape(own.shape)
    shifts = _of_all(own, first)
    for number in range(waves_of(len(used))):
        parts = wave.parts(number, contexts)
        if anchors is not None:
            wave.note([part for part in parts if not part.role], anchors)
            parts = [part for part in parts if part.role]
        if not parts:
            continue
        signs, sizes = _indices(parts, shifts)
        residuals = np.sign(read(signs)).astype(np.int64)
        if (moved := residuals != 0).any():
            residuals[moved] *= 1 + unfolded(read(sizes[moved]).astype(np.int64))
        stops = np.cumsum([part.prediction.size for part in parts])
        for part, stop in zip(parts, stops, strict=True):
            wave.fill(part, residuals[stop - part.prediction.size : stop].reshape(part.prediction.shape))
    fields = np.zeros((shape[0], 1 + CORRECTIONS, COMPONENTS, *shape[1:]), np.int32)
    for (chunks, slots), planes in zip(wave.cells, wave.values, strict=True):
        for component, plane in enumerate(planes):
            fields[chunks, slots, component] = plane.T.reshape(chunks.size, *shape[1:])
    return fields


def _indices(parts: Sequence[Part], shifts: Ints) -> NDArray[np.uint8]:
    """Tables of signs and of sizes, [2, n]."""
    both = np.concatenate([np.zeros((2, 0), np.uint8), *(part.shifted(shifts) for part in parts)], axis=1)
    return both + np.array([[0], [SIZES]], np.uint8)
