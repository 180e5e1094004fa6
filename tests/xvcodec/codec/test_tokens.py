"""Walking over tokens: what was coded comes back, prefixes too, and integers alone decide."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from token_models import CONTEXTS, wild
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.family import PassStream
from xvcodec.codec.token_contexts import (
    FLAG_FEATURES,
    KINDS,
    LIKELY,
    PLANES,
    SIGN_FEATURES,
    SIZES,
    SPOTS,
    TOKEN,
    TokenContexts,
    nearest,
)
from xvcodec.codec.token_layers import Layer, latents_of, make_layers, whole_of
from xvcodec.codec.token_progress import PIECE_BITS, Progress
from xvcodec.codec.token_values import MIDDLE, values
from xvcodec.codec.tokens import CORRECTIONS, Asked, Walk
from xvcodec.models.crossmodal import BETWEEN

USED = [[], [0], [3], [3, 0, 2], [1, 0, 0, 3, 2]]
"""Frames between anchors, chunk by chunk."""
Latents = dict[str, np.ndarray]


def latents(used: list[int], grid: tuple[int, int], seed: int, size: float = 3.0, empty: float = 0.5) -> Latents:
    """Random latents of a GOP; a share of them is zero."""
    random = np.random.default_rng(seed)
    height, width = grid
    between = sum(count > 0 for count in used)
    shapes = {"key": (1, 384, height, width), "anchor": (len(used), 96, 2 * height, 2 * width),
              "between": (between, 96 * BETWEEN, 2 * height, 2 * width)}
    return {kind: (np.rint(random.laplace(0, size, shape)) * (random.random(shape) >= empty)).astype(np.int32)
            for kind, shape in shapes.items()}


def coded(used: list[int], grid: tuple[int, int], given: Latents, contexts: TokenContexts = CONTEXTS,
          corrections: PassStream | None = None) -> Progress:
    layers, members = make_layers(used, grid)
    return Progress(layers, whole_of(layers, members, given, used), contexts, corrections)


def replayed(used: list[int], grid: tuple[int, int], progress: Progress, count: int,
             contexts: TokenContexts = CONTEXTS) -> Latents:
    """What a decoder has of the first scans, if it asks for the same tables; it has no other layers than its own."""
    layers, members = make_layers(used, grid)
    walk, passes = Walk(layers, contexts), iter([one for scan in progress.scans[:count] for one in scan.passes])

    def take(asked: Asked, table: np.ndarray) -> np.ndarray:
        symbols, index = next(passes)
        assert index.dtype == np.uint8 and np.array_equal(index, table)
        return symbols

    for _ in range(count):
        assert walk.scan(take)
    assert next(passes, None) is None and walk.tokens == sum(scan.tokens for scan in progress.scans[:count])
    return latents_of(layers, members, [values(layer) for layer in layers], used)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_layers_hold_every_coefficient_once(used: list[int], rows: int, columns: int, seed: int) -> None:
    given = latents(used, (rows, columns), seed, empty=0.0)
    layers, members = make_layers(used, (rows, columns))
    whole = whole_of(layers, members, given, used)
    assert sum(each.size for each in whole) == sum(each.size for each in given.values())
    back = latents_of(layers, members, [each.astype(np.float32) for each in whole], used)
    assert {kind: each.shape for kind, each in back.items()} == {kind: each.shape for kind, each in given.items()}
    assert all(np.array_equal(back[kind], each) for kind, each in given.items())


def test_layers_come_in_order_after_what_they_depend_on() -> None:
    layers, members = make_layers([3, 0, 2, 0, 1], (2, 3))
    kinds = [KINDS[layer.kind] for layer in layers]
    assert kinds == ["key", "pair", "pair", "anchor", "frame", "detail", "detail"]
    assert [[number for _, number, _ in pictures] for pictures in members[1:4]] == [[4], [2], [1, 3, 5]]
    assert [(chunk, time) for pictures in members[4:] for _, chunk, time in pictures] == [
        (chunk, time) for time in range(BETWEEN) for chunk in (0, 2, 4)]

    def beside(layer: int, place: int) -> list[tuple[str, int, int]]:
        return [members[other][number] for other, number in layers[layer].parents[place]]

    assert beside(3, 0) == [("anchor", 2, 0)] and beside(3, 1) == [("anchor", 2, 0), ("anchor", 4, 0)]
    assert beside(1, 0) == [("anchor", 3, 0), ("anchor", 5, 0)]  # of the plane before
    assert beside(4, 0) == [("anchor", 1, 0)] and beside(4, 1) == [("anchor", 2, 0), ("anchor", 3, 0)]
    assert beside(5, 1) == beside(6, 1) == [("between", 2, 0)]
    assert [layer.shape for layer in layers[:2]] == [(1, 2, 3, SIZES["key"]), (1, 4, 6, 6)]
    assert [KINDS[layer.kind] for layer in make_layers([], (2, 2))[0]] == ["key"]


@pytest.mark.parametrize("used", USED, ids=str)
@pytest.mark.parametrize("contexts", [CONTEXTS, wild()], ids=["formula", "wild"])
def test_everything_comes_back(used: list[int], contexts: TokenContexts) -> None:
    given = latents(used, (1, 2), 7, 20.0)
    given["key"][0, 0, 0, 0] = 65535  # as large as may be
    progress = coded(used, (1, 2), given, contexts)
    back = replayed(used, (1, 2), progress, progress.until(), contexts)
    assert all(np.array_equal(back[kind], each) for kind, each in given.items())
    assert not progress.more() and len({scan.level for scan in progress.scans}) == 2 * PLANES * (1 + any(used))


def test_nothing_comes_back_as_nothing() -> None:
    given = latents([2], (2, 2), 0, empty=1.0)
    progress = coded([2], (2, 2), given)
    back = replayed([2], (2, 2), progress, progress.until())
    assert not any(each.any() for each in back.values()) and not sum(scan.tokens for scan in progress.scans)
    symbols = [one for scan in progress.scans for one, _ in scan.passes]
    assert all(each.size == 1 for each in symbols) and 2 * len(symbols) == len(progress.scans)  # whether there are any


@settings(max_examples=4, deadline=None)
@given(st.sampled_from(USED), st.integers(0, 99), st.floats(0.1, 0.9))
def test_any_prefix_comes_back_as_near_as_it_says(used: list[int], seed: int, part: float) -> None:
    given = latents(used, (1, 1), seed, 12.0)
    progress = coded(used, (1, 1), given)
    count = max(1, int(progress.until() * part))
    back, last = replayed(used, (1, 1), progress, count), progress.scans[count - 1].level
    whole = last > CORRECTIONS  # of key frame and anchors; of frames between the planes have begun
    for kind, each in given.items():
        depth = max(0, last - CORRECTIONS - 1) if kind == "between" else last
        step = 1.0 if whole and kind != "between" else 2.0 ** (PLANES - depth // 2)  # twice the threshold, or nothing is off
        assert np.abs(back[kind] - each).max(initial=0) < step and (back[kind] * each >= 0).all()


def test_error_falls_from_plane_to_plane() -> None:
    used, grid = [3, 0, 2], (2, 3)
    given = latents(used, grid, 5, 30.0)
    progress = coded(used, grid, given)
    whole = progress.until()
    levels = [scan.level for scan in progress.scans]
    assert levels == sorted(levels)
    errors = []
    planes = [first + 2 * plane for first in (18, CORRECTIONS + 19) for plane in range(7)]
    for count in (*(levels.index(level) for level in planes), whole):
        back = replayed(used, grid, progress, count)
        errors.append(sum(float(np.square(back[kind] - each).sum()) for kind, each in given.items()))
    assert all(later < earlier for earlier, later in pairwise(errors)) and errors[-1] == 0.0


def test_likely_tokens_come_first() -> None:
    """Of a plane: what is known or likely in all layers of a group, then, where there are any, the others."""
    progress = coded([3, 0, 2], (2, 3), latents([3, 0, 2], (2, 3), 1))
    walk, truth, seen = Walk(progress.walk.layers, CONTEXTS), progress.truth, []
    for layer in walk.layers:
        layer.__post_init__()

    def take(asked: Asked, table: np.ndarray) -> np.ndarray:
        if asked.part is None and asked.rest is None:
            seen.append((asked.depth % 2, int(table.min()), int(table.max())))
        return truth(asked)

    while walk.scan(take):
        pass
    first, second = ([each for each in seen if each[0] == phase] for phase in (0, 1))
    assert first and second and min(low for _, low, _ in first) >= LIKELY


def test_later_spots_see_earlier_ones_of_the_scan() -> None:
    """Corners see nothing, the middle sees four corners, what is between sees three neighbours."""
    given = latents([], (3, 3), 0, empty=1.0)
    given["key"][0, 0] = 1
    progress, flags, signs = coded([], (3, 3), given), {}, {}
    walk, truth = progress.walk, progress.truth

    def take(asked: Asked, table: np.ndarray) -> np.ndarray:
        if asked.rest is None and not asked.token and asked.depth == 2 * PLANES - 1:
            assert (asked.layer.spot[asked.patches] == asked.spot).all() and asked.features is not None
            if asked.part is None:
                flags[asked.spot] = asked.patches.tolist(), asked.features[:, :2].tolist()
            elif asked.part.start == 0:
                signs[asked.spot] = asked.features[:, 0, 0].tolist()
        return truth(asked)

    while walk.scan(take):
        pass
    corners, middle, between = ([0, 2, 6, 8], [[0, 0]] * 4), ([4], [[0, 4]]), ([1, 3, 5, 7], [[3, 0]] * 4)
    assert list(flags.items()) == [(0, corners), (1, middle), (2, between)]
    assert signs == {0: [0] * 4, 1: [0], 2: [3] * 4}


@pytest.mark.parametrize("spot", range(SPOTS))
def test_spots_have_their_own_rows(spot: int) -> None:
    arrays, nothing = CONTEXTS.to_tensors(), np.zeros((2, 4, len(SIGN_FEATURES)), np.int32)
    assert len(arrays["flags.state"]) == 160 * SPOTS and len(arrays["signs.state"]) == 240 * SPOTS
    arrays["flags.state"][(2 * 32 + 21) * SPOTS + spot, 0] = 4000  # kind 2, level 21
    arrays["signs.state"][((2 * 3 + 1) * 16 + 5) * SPOTS + spot, 0] = 4000  # kind 2, new, plane 5
    made = TokenContexts.from_tensors(arrays)
    for other in range(SPOTS):
        found = [(each.of_flags(2, 5, 21, other, nothing[:, 0, : len(FLAG_FEATURES)]),
                  each.of_signs(2, 5, 5, other, slice(4, 8), np.array([1, 1]), nothing)) for each in (made, CONTEXTS)]
        assert all((mine > its).all() == (mine != its).any() == (other == spot) for mine, its in zip(*found, strict=True))


def test_next_bits_are_told_apart_by_the_bits_before() -> None:
    arrays = CONTEXTS.to_tensors()
    arrays["bits"][:] = 31, 32, 33
    progress = coded([0], (1, 1), latents([0], (1, 1), 3, 9.0), TokenContexts.from_tensors(arrays))
    truth, seen = progress.truth, set()
    walk = Walk(progress.walk.layers, progress.walk.contexts)

    def take(asked: Asked, table: np.ndarray) -> np.ndarray:
        if asked.part is not None:
            known = asked.layer.known[asked.patches, asked.token, asked.part].ravel()  # twice what it was
            seen.update(zip((known[known > 0] // 2).tolist(), table[known > 0].tolist(), strict=True))
        return truth(asked)

    while walk.scan(take):
        pass
    assert {size for size, _ in seen} >= {1, 2, 3, 4, 5, 9}
    assert all(table == (31 if size == 1 else 32 if size < 4 else 33) for size, table in seen)


def test_no_more_tokens_than_asked() -> None:
    progress = coded([3], (2, 2), latents([3], (2, 2), 1))
    counts = [progress.until(tokens) for tokens in (0, 7, 60, 600, None)]
    spent = [sum(scan.tokens for scan in progress.scans[:count]) for count in counts]
    assert counts[0] >= 1 and counts == sorted(counts) and spent[0] == 0
    assert all(own <= most for own, most in zip(spent, (0, 7, 60, 600), strict=False)) and spent[3] > 300
    assert all(spent[at] + progress.scans[counts[at]].tokens > most for at, most in enumerate((0, 7, 60, 600)))
    assert counts[-1] == len(progress.scans) == progress.until(10**9)


def motion(bits: int) -> PassStream:
    """Corrections that take about so many bits."""
    return PassStream("", (bits,), [(np.ones(bits, np.int32), np.full(bits, nearest(np.array([0.5]))[0]))], CONTEXTS.tables)


@pytest.mark.parametrize("size", [10, 20_000])
def test_pieces_hold_all_scans(size: int) -> None:
    """And, between those of anchors and of frames between, the corrections in a piece of their own."""
    progress = coded([3], (2, 3), latents([3], (2, 3), 2), corrections=motion(size))
    count = progress.until()
    pieces = progress.pieces(count)
    assert sum(piece.scans for piece in pieces) == count - 1 and len(pieces) > 3
    assert sum(piece.tokens for piece in pieces) == sum(scan.tokens for scan in progress.scans)
    levels = [piece.level for piece in pieces]
    assert levels == sorted(levels) and levels[-1] == 2 * CORRECTIONS
    at = levels.index(CORRECTIONS)
    assert levels[at - 1] == CORRECTIONS - 1 and levels[at + 1] > CORRECTIONS
    assert (pieces[at].scans, pieces[at].tokens, [each.size for each, _ in pieces[at].passes]) == (0, 0, [size])
    bits = sum(scan.bits for scan in progress.scans if scan.level != CORRECTIONS) / (len(pieces) - 1)
    assert 0.5 * PIECE_BITS < bits < 2 * PIECE_BITS


def test_corrections_come_with_the_last_token_of_anchors() -> None:
    progress = coded([3], (1, 1), latents([3], (1, 1), 1), corrections=motion(100))
    progress.until()
    levels = [scan.level for scan in progress.scans]
    anchors = sum(scan.tokens for scan in progress.scans if scan.level < CORRECTIONS)
    few, enough = (progress.scans[: progress.until(tokens)] for tokens in (anchors - 1, anchors))
    assert max(scan.level for scan in few) < CORRECTIONS <= max(scan.level for scan in enough)
    assert levels.count(CORRECTIONS) == 1 and sum(scan.tokens for scan in enough) == anchors


def test_contexts_see_complete_anchors_in_units_of_the_plane() -> None:
    given = latents([1], (1, 1), 3, 40.0)
    progress, seen = coded([1], (1, 1), given), {}
    walk, truth = progress.walk, progress.truth

    def take(asked: Asked, table: np.ndarray) -> np.ndarray:
        if KINDS[asked.layer.kind] == "frame":
            assert walk.anchored and asked.layer.between
            seen[asked.plane] = walk.layers[1].padded[0][walk.layers[1].inner].copy()
        return truth(asked)

    while walk.scan(take):
        pass
    whole = np.abs(given["anchor"][0]).reshape(6, TOKEN, -1).transpose(2, 0, 1)
    assert len(seen) == PLANES and all(np.array_equal(its, np.minimum(whole >> plane, 15)) for plane, its in seen.items())


def test_anchors_do_not_depend_on_frames_between() -> None:
    used, grid = [3, 0, 2], (1, 2)
    given = latents(used, grid, 4)
    other = given | {"between": latents(used, grid, 9)["between"]}
    passes = []
    for each in (given, other):
        progress = coded(used, grid, each)
        progress.until()
        passes.append([one for scan in progress.scans if scan.level < CORRECTIONS for one in scan.passes])
    same = [np.array_equal(a, b) for one, two in zip(*passes, strict=True) for a, b in zip(one, two, strict=True)]
    assert same and all(same)


def test_what_is_taken_for_a_coefficient_lies_in_its_interval() -> None:
    layer = Layer(1, (1, 1, 2, 6), [[]])
    layer.known[0, 0, :3], layer.signs[0, 0, :3], layer.plane[0, 0] = (1, 2, 0), (1, -1, 0), 3
    found = values(layer)[0, 0, :3]
    assert found.tolist() == pytest.approx([8 + MIDDLE[0] * 7, -(16 + MIDDLE[1] * 7), 0.0])


@pytest.mark.parametrize("symbol", [2, -2, 1 << 30, -(1 << 31)])
def test_symbols_that_there_are_not_are_damage(symbol: int) -> None:
    """Escapes decode to any whole number, and a file from a stranger may hold some."""
    walk = Walk(make_layers([3], (2, 2))[0], CONTEXTS)

    def take(asked: Asked, table: np.ndarray) -> np.ndarray:
        return np.full(table.shape, 1 if asked.part is None else symbol, np.int32)

    with pytest.raises(DamagedError, match="damaged"):
        while walk.scan(take):
            pass
