"""Fitting of contexts: weights are found again. How painters are trained: tests/xvcodec/training."""

from __future__ import annotations

import numpy as np

from xvcodec.codec.token_contexts import KINDS, MOST, PLANES, TokenContexts
from xvcodec.training.fit_tokens import Collector


def test_weights_of_contexts_are_found_again() -> None:
    contexts = TokenContexts.default()
    collector, random = Collector(contexts), np.random.default_rng(3)
    features = random.integers(0, 12, (20000, 5)).astype(np.int32)
    rate = (features @ np.array([0.01, 0.0, 0.1, 0.02, 0.2])) + 0.05
    found = random.random(len(rate)) < 1.0 - np.exp(-rate)
    group = np.full(len(rate), 2 * MOST + 1)
    collector._keep(collector.flags, "flag", features, group, group * PLANES + 4, found)
    some = np.zeros((30, 3), np.int32), np.zeros(30, np.int64), np.zeros(30, np.int64), np.zeros(30, bool)
    collector._keep(collector.signs, "sign", *some)
    made = collector.fitted()
    weights = made["flag_weights"].reshape(len(KINDS), MOST, 5)[2, 1] / 256
    assert np.allclose(weights, [0.01, 0.0, 0.1, 0.02, 0.2], atol=0.03)
    TokenContexts.from_tensors(contexts.to_tensors() | made)
