"""Fitting the weights and biases of token contexts: rates of what is not zero, as sums of known sizes.

Something not zero has the chance 1 - exp(-s), s = bias + weights * features, which is what a Poisson process of that rate
has. All are positive, so their logarithms are fitted, by Adam over all samples at once; each is drawn to its value by
formula as if that had been seen PRIOR times.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xvcodec.codec.token_contexts import (
    BIAS,
    FLAG_FEATURES,
    HEAVIEST,
    KINDS,
    MOST,
    PLANES,
    SIGN_FEATURES,
    STATES,
    UNIT,
    TokenContexts,
)
from xvcodec.codec.tokens import Asked
from xvcodec.models.patches import TOKEN

Arrays = dict[str, NDArray[np.int32]]
PRIOR = 20.0
RARE, OFTEN = 0.03, 3.0
"""Samples are kept with the chance RARE plus OFTEN times that of their being not zero, and weigh the inverse."""
STEPS, RATE = 300, 0.05


@dataclass
class Kept:
    """Samples: features [n, F]; group of weights and own bias of each; whether it was not zero; weight."""

    features: list[NDArray[np.int32]] = field(default_factory=list)
    group: list[NDArray[np.int64]] = field(default_factory=list)
    bias: list[NDArray[np.int64]] = field(default_factory=list)
    found: list[NDArray[np.bool_]] = field(default_factory=list)
    weight: list[NDArray[np.float32]] = field(default_factory=list)


class Collector:
    """Keeps samples of flags and of first signs while clips are coded.

    Args of the constructor:
        contexts: by which is guessed what is rare.
    """

    def __init__(self, contexts: TokenContexts, seed: int = 0) -> None:
        self.arrays, self.random = contexts.to_tensors(), np.random.default_rng(seed)
        self.flags, self.signs = Kept(), Kept()

    def note(self, asked: Asked, symbols: NDArray[np.int32], known: NDArray[np.bool_] | None) -> None:
        """Keep some samples of what was asked; `known` [n, PART]: coefficients that were not zero before."""
        if asked.features is None:
            return
        kind, token = asked.layer.kind, asked.token
        if asked.part is None or known is None:
            group = np.full(symbols.size, kind * MOST + token)
            self._keep(self.flags, "flag", asked.features, group, group * PLANES + asked.plane, symbols != 0)
            return
        state = np.broadcast_to(np.asarray(asked.context[1][1]), known.shape)
        group = (kind * STATES + state) * MOST + token
        place = np.arange(asked.part.start, asked.part.stop)
        bias = group * TOKEN + place
        new = ~known
        self._keep(self.signs, "sign", asked.features[new], group[new], bias[new], symbols.reshape(known.shape)[new] != 0)

    def _keep(self, kept: Kept, name: str, features: NDArray[np.int32], group: NDArray[np.int64], bias: NDArray[np.int64],
              found: NDArray[np.bool_]) -> None:
        weights = self.arrays[f"{name}_weights"].reshape(-1, features.shape[1])
        sums = (features * weights[group]).sum(1) + self.arrays[f"{name}_bias"].reshape(-1)[bias]
        chance = np.minimum(1.0, RARE + OFTEN * (1.0 - np.exp(-sums / UNIT)))
        here = self.random.random(len(chance)) < chance
        for values, value in ((kept.features, features), (kept.group, group), (kept.bias, bias), (kept.found, found),
                              (kept.weight, (1.0 / chance).astype(np.float32))):
            values.append(value[here])

    def fitted(self) -> Arrays:
        """Weights and biases of flags and of signs."""
        flags, signs = ((len(KINDS), MOST), (len(KINDS), STATES, MOST))
        return (_fit(self.flags, "flag", self.arrays, flags, len(FLAG_FEATURES))
                | _fit(self.signs, "sign", self.arrays, signs, len(SIGN_FEATURES)))


def _fit(kept: Kept, name: str, arrays: Arrays, groups: tuple[int, ...], features: int) -> Arrays:
    """The weights [groups, features] and biases of one kind of question."""
    parts = (kept.features, kept.group, kept.bias, kept.found, kept.weight)
    seen, group, place, found, weight = (torch.from_numpy(np.concatenate(each)) for each in parts)
    seen = seen.float()
    start = [torch.from_numpy(arrays[f"{name}_{what}"].reshape(shape) / UNIT).float().clamp_min(1e-4).log()
             for what, shape in (("weights", (-1, features)), ("bias", (-1,)))]
    logs = [each.clone().requires_grad_(True) for each in start]
    optimiser = torch.optim.Adam(logs, RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = _loss(logs, seen, group, place, found, weight)
        prior = sum((one - other).square().sum() for one, other in zip(logs, start, strict=True))
        (loss + PRIOR / 2 * prior).backward()
        optimiser.step()
    weights, bias = (torch.exp(each.detach()).mul(UNIT).round().to(torch.int32).numpy() for each in logs)
    return {f"{name}_weights": weights.clip(0, HEAVIEST).reshape(arrays[f"{name}_weights"].shape),
            f"{name}_bias": bias.clip(0, BIAS).reshape(arrays[f"{name}_bias"].shape)}


def _loss(logs: list[Tensor], seen: Tensor, group: Tensor, place: Tensor, found: Tensor, weight: Tensor) -> Tensor:
    """What all samples would take, in nats."""
    rate = ((torch.exp(logs[0])[group] * seen).sum(1) + torch.exp(logs[1])[place]).clamp(1e-5, 30.0)
    return (weight * torch.where(found, -torch.log(-torch.expm1(-rate)), rate)).sum()
