"""Fitting of token contexts: what follows a law is told by it."""

from __future__ import annotations

import numpy as np

from xvcodec.codec.shifts import Prices
from xvcodec.codec.token_contexts import (
    BITS,
    CHANCES,
    FLAG_FEATURES,
    KINDS,
    MOST,
    PART,
    PLANES,
    REACH,
    SIGN_FEATURES,
    SPOTS,
    TokenContexts,
    nearest,
)
from xvcodec.codec.token_layers import make_layers
from xvcodec.codec.tokens import Asked
from xvcodec.training.fit_tokens import Survey

LEVEL, TOKEN, SPOT, COUNT = 21, 2, 1, 3000
PLANE = PLANES - 1 - LEVEL // 2
OFTEN = (5, 50, 90)
"""Of a hundred scans."""
FORMULA = TokenContexts.default()


def chance(features: np.ndarray) -> np.ndarray:
    """The law: flags and signs are likelier the more is known near, and follow nothing else."""
    return 1.0 - np.exp(-0.05 - 0.15 * features[..., 0])


def flags(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 12, (COUNT, len(FLAG_FEATURES))).astype(np.int32)


def surveyed() -> Survey:
    """What was noted of tokens of an anchor that follow the law."""
    survey, random = Survey(), np.random.default_rng(3)
    layer = make_layers([0], (2, 2))[0][1]
    patches, part = np.zeros(COUNT, np.intp), slice(4, 8)
    for _ in range(8):
        features = flags(random)
        found = (random.random(COUNT) < chance(features)).astype(np.int32)
        survey.note(Asked(layer, patches, TOKEN, LEVEL, SPOT, None, None, features), found, None)
        features = random.integers(0, 12, (COUNT, PART, len(SIGN_FEATURES))).astype(np.int32)
        known = random.integers(0, 2, (COUNT, PART)) * random.integers(1, 9, (COUNT, PART))
        odds = np.where(known > 0, 0.3, chance(features))
        symbols = (random.random(known.shape) < odds) * np.where(known > 0, 1, random.choice([-1, 1], known.shape))
        asked = Asked(layer, patches, TOKEN, LEVEL, SPOT, part, None, features, np.zeros(COUNT, np.intp))
        survey.note(asked, symbols.astype(np.int32).ravel(), known.astype(np.int32))
    for richness, often in enumerate(OFTEN):
        for number in range(100):
            asked = Asked(layer, patches[:0], TOKEN, LEVEL, 0, None, patches, state=np.full(1, richness))
            survey.note(asked, np.array([number < often], np.int32), None)
    return survey


def test_a_law_is_found_again() -> None:
    cost = Prices(FORMULA.tables).bits[:CHANCES, REACH : REACH + 2]
    made, random, kind = surveyed().fitted(cost, 250, lambda line: None), np.random.default_rng(4), KINDS.index("anchor")
    features = flags(random)
    for contexts in (made, FORMULA):
        found = contexts.of_flags(kind, TOKEN, LEVEL, SPOT, features).astype(int)
        assert (np.abs(found - nearest(chance(features))).mean() < 2.0) == (contexts is made)
    signs = random.integers(0, 12, (COUNT, PART, len(SIGN_FEATURES))).astype(np.int32)
    found = made.of_signs(kind, TOKEN, PLANE, SPOT, slice(4, 8), np.zeros(COUNT, np.intp), signs).astype(int)
    assert np.abs(found - nearest(chance(signs))).mean() < 2.0
    for tables, chances in ((made.bits, np.array([0.3] * BITS)), (made.scans, np.array(OFTEN) / 100)):
        assert np.abs(tables[kind].astype(int) - nearest(chances)).max() <= 1
    assert np.array_equal(made.bits[0], FORMULA.bits[0])  # of which nothing was seen
    TokenContexts.from_tensors(made.to_tensors())


def test_rare_samples_stand_for_all() -> None:
    survey = Survey()
    layer = make_layers([0], (2, 2))[0][1]
    nothing = np.zeros((50_000, len(FLAG_FEATURES)), np.int32)
    found = (np.arange(50_000) < 10).astype(np.int32)
    survey.note(Asked(layer, np.zeros(50_000, np.intp), 0, LEVEL, SPOT, None, None, nothing), found, None)
    kept = survey.kept["flags"]
    assert sum(map(len, kept.seen)) < 3000 and kept.found[0].sum() == 10
    assert abs(float(kept.weight[0].sum()) / 50_000 - 1.0) < 0.1 and kept.place[0][0] == layer.kind * MOST
    assert (kept.state[0] == (2 * PLANES * layer.kind + LEVEL) * SPOTS + SPOT).all()
