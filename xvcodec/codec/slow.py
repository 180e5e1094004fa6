"""`-preset slow`: search the quality of each GOP for the best sum of error and rate, instead of taking it as given.

Where quality stands for an error, which clips have more or less of, decoding finds the quality that has it.
"""

from __future__ import annotations

import math

from xvcodec.codec.trial import Coded, Trial

SPREAD = (-3.0, 3.0)
"""Qualities tried beside the one asked for."""
TRIES, NEAR = 4, 0.012
"""Decodings at most, and how near to an error, as a share of it, is good enough."""
TINY = 1e-12


def refine(trial: Trial, coded: Coded) -> Coded:
    """The cheapest of the neighbouring qualities by squared error + slope * bytes.

    The slope is the file's own trade at the quality asked for: what its two neighbours pay in error for a byte, so
    that easy GOPs, where bytes buy little, give theirs to hard ones.
    """
    if trial.session.codec.requirements.tokens:
        return settle(trial, coded)
    nominal = coded.quality
    options = [coded] + [trial.code(min(63.0, max(0.0, nominal + step))) for step in SPREAD]
    price = trial.session.codec.price(nominal)

    def cost(option: Coded) -> float:
        difference = option.planes.luma - trial.planes.luma
        return float(difference.square().sum()) + price * option.size * 8.0

    return min(options, key=cost)


def settle(trial: Trial, coded: Coded) -> Coded:
    """As many tokens as the decoded pictures need for the usual error of the quality asked for."""
    from xvcodec.codec.onedva import OnedvaCodec, error_between

    codec = trial.session.codec
    if trial.guide.tokens is not None or not isinstance(codec, OnedvaCodec):
        return coded
    quality, wanted = coded.quality, math.log(codec.usual_error(coded.quality))
    slope = math.log(codec.usual_error(quality + 0.5) / codec.usual_error(quality - 0.5))  # of one crf, to begin with
    for _ in range(TRIES):
        error = math.log(max(error_between(trial.planes, coded.planes), TINY))
        quality = min(63.0, max(0.0, coded.quality - (error - wanted) / slope))
        if abs(error - wanted) < NEAR or quality == coded.quality:
            break
        before, coded = (coded.quality, error), trial.code(quality)
        if coded.quality != before[0]:
            seen = (math.log(max(error_between(trial.planes, coded.planes), TINY)) - before[1]) / (coded.quality - before[0])
            slope = min(4.0 * slope, max(0.25 * slope, seen))
    return coded
