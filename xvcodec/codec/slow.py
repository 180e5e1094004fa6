"""`-preset slow`: search the quality of each GOP for the best sum of error and rate, instead of taking it as given."""

from __future__ import annotations

from xvcodec.codec.trial import Coded, Trial

SPREAD = (-3.0, 3.0)
"""Qualities tried beside the one asked for."""


def refine(trial: Trial, coded: Coded) -> Coded:
    """The cheapest of the neighbouring qualities by squared error + slope * bytes.

    The slope is the file's own trade at the quality asked for: what its two neighbours pay in error for a byte, so
    that easy GOPs, where bytes buy little, give theirs to hard ones.
    """
    nominal = coded.quality
    options = [coded] + [trial.code(min(63.0, max(0.0, nominal + step))) for step in SPREAD]
    price = trial.session.codec.price(nominal)

    def cost(option: Coded) -> float:
        difference = option.planes.luma - trial.planes.luma
        return float(difference.square().sum()) + price * option.size * 8.0

    return min(options, key=cost)
