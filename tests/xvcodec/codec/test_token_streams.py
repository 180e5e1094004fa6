"""Tokens as docs/onedva-streams.md tells them, one number after another: a second decoder, slow and plain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from test_token_networks import exactly
from test_tokens import Latents, coded, latents, motion
from token_models import CONTEXTS, wild

from xvcodec.codec.family import Piece
from xvcodec.codec.token_contexts import TokenContexts
from xvcodec.models.transform import frequencies

Place = tuple[tuple[str, int, int], int, int]
"""A picture, and row and column of a patch in it."""
SIDES = ((0, -1), (0, 1), (-1, 0), (1, 0))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def there(place: Place, steps: tuple[tuple[int, int], ...]) -> list[Place]:
    """The patches some steps away."""
    return [(place[0], place[1] + down, place[2] + right) for down, right in steps]


def spot_of(place: Place) -> int:
    """Where in the quincunx a patch stands."""
    _, row, column = place
    return {(0, 0): 0, (1, 1): 1}.get((row % 2, column % 2), 2)


class Plain:
    """Reads tokens from pieces."""

    def __init__(self, used: list[int], grid: tuple[int, int], contexts: TokenContexts, pieces: list[Piece]) -> None:
        self.used, self.grid, self.contexts, self.pieces = used, grid, contexts, pieces
        self.passes: Iterator[tuple[np.ndarray, np.ndarray]] = iter(())
        self.left = self.rows = 0  # scans and tokens of the piece that are still to come
        self.level = self.last_level = 0  # of the scan, and of the piece
        self.corrections: list[Piece] = []
        chunks, between = len(used), [chunk for chunk, count in enumerate(used, 1) if count]
        self.layers = [(0, 24, [("key", 0, 0)])]
        for d in (64, 32, 16, 8, 4, 2, 1):
            self.layers.append((2 if d > 1 else 1, 6, [("anchor", k, 0) for k in range(d, chunks + 1, 2 * d)]))
        self.layers += [(4 if time else 3, 6, [("between", chunk, time) for chunk in between]) for time in range(3)]
        self.known = {picture for _, _, pictures in self.layers for picture in pictures}
        self.size: dict[tuple[Place, int], int] = defaultdict(int)  # of channel c of a patch
        self.sign: dict[tuple[Place, int], int] = {}
        self.last: dict[tuple[Place, int], int] = {}  # plane of token t of a patch

    def related(self, picture: tuple[str, int, int]) -> list[tuple[str, int, int]]:
        kind, k, time = picture
        near = [("between", k, 0)] if time else [("anchor", k - 1, 0), ("anchor", k + (kind == "anchor"), 0)]
        return [each for each in near if each in self.known] if kind != "key" else []

    def patches(self, pictures: list[tuple[str, int, int]]) -> list[Place]:
        scale = 1 if pictures[0][0] == "key" else 2
        return [(picture, y, x) for picture in pictures for y in range(scale * self.grid[0])
                for x in range(scale * self.grid[1])]

    def one(self, place: Place, channel: int) -> int:
        return min(15, self.seen[place, channel])

    def whole(self, place: Place, token: int) -> int:
        return min(60, sum(self.one(place, channel) for channel in range(16 * token, 16 * token + 16)))

    def look(self, places: list[Place], kind: int, token: int,
             state: int) -> tuple[dict[Place, list[int]], dict[Place, int]]:
        """Features and tables of flags."""
        features, tables, lower = {}, {}, range(token)
        for place in places:
            sides = there(place, SIDES)
            features[place] = [
                sum(self.whole(each, token) for each in sides),
                sum(self.whole(each, token) for each in there(place, CORNERS)),
                self.whole(place, token - 1) if token else 0, sum(self.whole(place, each) for each in lower),
                sum(self.whole((other, *place[1:]), token) for other in self.related(place[0])),
                sum(self.whole(each, below) for each in sides for below in lower)]
            tables[place] = self.table("flags", features[place], 24 * kind + token, state)
        return features, tables

    def read(self, tables: list[int]) -> list[int]:
        symbols, wanted = next(self.passes)
        assert tables == wanted.tolist()
        return symbols.tolist()

    def table(self, name: str, features: list[int], place: int, state: int) -> int:
        network = getattr(self.contexts, name)
        return int(exactly(network, np.array([features], np.int32), np.array([place]), np.array([state]))[0])

    def begin(self, level: int) -> None:
        """A scan comes, or, at level 32, corrections do: in the next piece, where one ends."""
        if not self.left:
            self.end()
            piece = self.pieces.pop(0)
            self.left, self.rows, self.last_level = piece.scans, piece.tokens, piece.level
            self.corrections += [piece] if level == 32 else []
            self.passes = iter([] if level == 32 else piece.passes)
        self.left, self.level = self.left - (level != 32), level

    def end(self) -> None:
        """A piece had all that it says."""
        assert not self.left and not self.rows and self.level == self.last_level and next(self.passes, None) is None

    def decode(self) -> None:
        taken: set[tuple[Place, int]] = set()
        complete: dict[tuple[Place, int], int] = {}
        for first, group in ((0, (0, 1, 2)), (33, (3, 4))):
            if first and any(self.used):
                self.begin(32)
            for plane in reversed(range(16)):
                for key in self.size:
                    self.size[key] = complete[key] >> plane if key in complete else 2 * self.size[key]
                taken.clear()
                for phase in (0, 1):
                    for kind, tokens, pictures in self.layers:
                        for token in range(tokens if pictures and kind in group else 0):
                            self.begin(first + 2 * (15 - plane) + phase)
                            self.seen = defaultdict(int, self.size)
                            self.scan(plane, phase, kind, token, tokens, pictures, taken)
            complete = dict(self.size)
        self.end()
        assert not self.pieces

    def scan(self, plane: int, phase: int, kind: int, token: int, tokens: int, pictures: list[tuple[str, int, int]],
             taken: set[tuple[Place, int]]) -> None:
        places, state = self.patches(pictures), 3 * (32 * kind + 2 * (15 - plane) + phase)
        old = [place for (place, which) in self.last if which == token and place[0] in pictures]  # as they became active
        if phase == 0:
            _, tables = self.look(places, kind, token, state)
            chosen = [place for place in places if place in old or tables[place] >= 26]
            taken.update((place, token) for place in chosen)
        else:
            chosen, old = [place for place in places if (place, token) not in taken], []
        new = [place for place in chosen if (place, token) not in self.last]
        if phase and new:
            active = sum(place[0] in pictures for place, _ in self.last)
            richness = 0 if not active else 1 if 16 * active < len(new) else 2
            if not self.read([int(self.contexts.scans[kind, richness])])[0]:
                return
        for spot in range(3):
            self.seen = defaultdict(int, self.size)
            mine, again = ([place for place in rows if spot_of(place) == spot] for rows in (new, old))
            features, tables = self.look(mine + again, kind, token, state + spot)
            flags = self.read([tables[place] for place in mine]) if mine else []
            flagged = [place for place, flag in zip(mine, flags, strict=True) if flag]
            self.coefficients(plane, kind, token, tokens, spot, again, flagged, features)

    def coefficients(self, plane: int, kind: int, token: int, tokens: int, spot: int, old: list[Place],
                     flagged: list[Place], features: dict[Place, list[int]]) -> None:
        if not old and not flagged:
            return
        rows = old + flagged
        state = {place: int(place in flagged) for place in rows}
        own = {place: min(60, sum(self.size[place, 16 * token + at] for at in range(16))) for place in rows}
        where = frequencies(16 if tokens == 24 else 8).tolist()
        for part in range(4):
            asked = []
            for place in rows:
                for channel in range(16 * token + 4 * part, 16 * token + 4 * part + 4):
                    if size := self.size[place, channel]:
                        index = 0 if size == 2 else 1 if size < 8 else 2
                        asked.append(int(self.contexts.bits[kind, index]))
                        continue
                    sides = there(place, SIDES)
                    around = [other for other, (colour, down, right) in enumerate(where) if other != channel
                              and colour == where[channel][0]
                              and max(abs(down - where[channel][1]), abs(right - where[channel][2])) == 1]
                    seen = [sum(self.one(each, channel) for each in sides), own[place],
                            sum(self.one((other, *place[1:]), channel) for other in self.related(place[0])),
                            sum(self.one(place, other) for other in around),
                            sum(self.one(each, other) for each in sides for other in around), *features[place]]
                    asked.append(48 + self.table("signs", seen, 16 * (24 * kind + token) + channel % 16,
                                                 3 * (16 * (3 * kind + state[place]) + plane) + spot))
            symbols = iter(self.read(asked))
            for place in rows:
                for channel in range(16 * token + 4 * part, 16 * token + 4 * part + 4):
                    symbol = next(symbols)
                    if not self.size[place, channel] and symbol:
                        self.sign[place, channel] = symbol
                        state[place] = 2 if state[place] else 0
                    self.size[place, channel] += abs(symbol)
                    own[place] = min(60, own[place] + abs(symbol))
        self.rows -= len(rows)
        for place in rows:
            self.last[place, token] = plane


def latent_of(place: Place, channel: int, given: Latents, used: list[int]) -> int:
    """The encoder's integer."""
    (kind, k, time), y, x = place
    if kind == "key":
        return int(given["key"][0, channel, y, x])
    if kind == "anchor":
        return int(given["anchor"][k - 1, channel, y, x])
    return int(given["between"][sum(count > 0 for count in used[: k - 1]), 3 * channel + time, y, x])


@pytest.mark.parametrize("used", [[1, 0, 2], [0]], ids=str)
@pytest.mark.parametrize("contexts", [CONTEXTS, wild()], ids=["formula", "wild"])
def test_a_plain_decoder_reads_the_same(contexts: TokenContexts, used: list[int]) -> None:
    grid = (1, 1)
    given = latents(used, grid, 11, 4.0, 0.97)
    corrections = motion(10) if any(used) else None
    progress = coded(used, grid, given, contexts, corrections)
    plain = Plain(used, grid, contexts, progress.pieces(progress.until()))
    plain.decode()
    assert [each.passes for each in plain.corrections] == [each.passes for each in [corrections] if each]
    for _, tokens, pictures in plain.layers:
        for place in plain.patches(pictures) if pictures else ():
            for channel in range(16 * tokens):
                value = plain.size[place, channel] * plain.sign.get((place, channel), 0)
                assert value == latent_of(place, channel, given, used)
