"""Fitting what chooses the tables of tokens: networks of flags and of first signs by gradient, other tables by counting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xvcodec.codec.field_network import ENTRY, INNER, LARGEST, LOGARITHMS, TOP, UNIT, WIDTH
from xvcodec.codec.token_contexts import (
    BITS,
    KINDS,
    MOST,
    PLANES,
    RICHNESS,
    SHAPES,
    SPOTS,
    STATES,
    TOKEN,
    Bytes,
    Ints,
    TokenContexts,
    nearest,
)
from xvcodec.codec.token_network import CHANCES, HIGHEST, LOWEST, TokenNetwork
from xvcodec.codec.tokens import Asked

RARE = 0.04
"""Samples of which nothing is known and nothing comes are kept with this chance, and weigh the inverse."""
BATCH = 16_384
RATE = 4e-3
TOLD = 1000
"""Steps from one line of the log to the next."""
PRIOR = 4.0
"""Counted tables start as if they had been seen so often, with their chance by formula."""


@dataclass
class Kept:
    """Samples: known sizes as networks see them [n, F], rows of biases, whether anything came, weights."""

    seen: list[Bytes] = field(default_factory=list)
    place: list[NDArray[np.int64]] = field(default_factory=list)
    state: list[NDArray[np.int64]] = field(default_factory=list)
    found: list[NDArray[np.bool_]] = field(default_factory=list)
    weight: list[NDArray[np.float32]] = field(default_factory=list)


class Survey:
    """Keeps samples and counts while clips are coded."""

    def __init__(self, seed: int = 0) -> None:
        self.random, self.kept = np.random.default_rng(seed), {name: Kept() for name in SHAPES}
        start = TokenContexts.default()
        chance = 1.0 / (1.0 + np.exp(-np.linspace(LOWEST, HIGHEST, CHANCES)))
        self.bits, self.scans = (PRIOR * np.stack([1.0 - chance[each], chance[each]], -1)
                                 for each in (start.bits, start.scans))

    def note(self, asked: Asked, symbols: Ints, known: Ints | None) -> None:
        """What was asked and came of it; `known` [n, PART]: sizes of coefficients before, in units of the plane."""
        kind, token, plane = asked.layer.kind, asked.token, asked.plane
        if asked.rest is not None:
            assert asked.state is not None
            self.scans[kind, asked.state[0], int(symbols[0] != 0)] += 1.0
            return
        assert asked.features is not None
        if asked.part is None or known is None:
            self._keep("flags", asked.features, np.full(symbols.size, kind * MOST + token),
                       np.full(symbols.size, (kind * 2 * PLANES + asked.depth) * SPOTS + asked.spot), symbols != 0)
            return
        found = (symbols != 0).reshape(known.shape)
        for value in (0, 1):
            np.add.at(self.bits[kind, :, value], np.minimum(known[(known > 0) & (found == value)] >> 2, BITS - 1), 1.0)
        new = known == 0
        place = np.broadcast_to((kind * MOST + token) * TOKEN + np.arange(asked.part.start, asked.part.stop), known.shape)
        rows = ((kind * STATES + np.asarray(asked.state)) * PLANES + plane) * SPOTS + asked.spot
        state = np.broadcast_to(rows[:, None], known.shape)
        self._keep("signs", asked.features[new], place[new], state[new], found[new])

    def _keep(self, name: str, features: Ints, place: NDArray[np.int64], state: NDArray[np.int64],
              found: NDArray[np.bool_]) -> None:
        chance = np.where(found | features.any(1), 1.0, RARE)
        here = self.random.random(len(chance)) < chance
        kept = self.kept[name]
        kept.seen.append(LOGARITHMS[np.minimum(features[here], LARGEST)])
        kept.place.append(place[here])
        kept.state.append(state[here])
        kept.found.append(found[here])
        kept.weight.append((1.0 / chance[here]).astype(np.float32))

    def fitted(self, cost: NDArray[np.float64], steps: int, say: Callable[[str], None]) -> TokenContexts:
        """The contexts; `cost`: bits of zero and of anything else with each of the CHANCES tables, [CHANCES, 2]."""
        flags, signs = (_fit(name, self.kept[name], cost, steps, say) for name in SHAPES)
        bits, scans = (nearest(each[..., 1] / each.sum(-1)) for each in (self.bits, self.scans))
        assert bits.shape == (len(KINDS), BITS) and scans.shape == (len(KINDS), RICHNESS)
        return TokenContexts(flags, signs, bits, scans)


class _Net(nn.Module):
    """The same arithmetic with fractions, or rounded as `TokenNetwork` rounds, with straight-through gradients."""

    def __init__(self, inputs: int, places: int, states: int) -> None:
        super().__init__()
        self.entry = nn.Parameter(torch.randn(inputs, WIDTH) * 0.2)
        self.place = nn.Parameter(torch.zeros(places, WIDTH))
        self.state = nn.Parameter((torch.randn(1, WIDTH) * 8.0 + 16.0).repeat(states, 1))
        self.inner = nn.Parameter(torch.randn(WIDTH, WIDTH) * WIDTH**-0.5)
        self.inner_bias = nn.Parameter(torch.full((WIDTH,), 16.0))
        self.out = nn.Parameter(torch.randn(WIDTH, 1) * 0.05)
        self.out_bias = nn.Parameter(torch.full((1,), 10.0))

    def forward(self, seen: Tensor, place: Tensor, state: Tensor, whole: bool) -> Tensor:
        """[n, inputs], [n], [n] -> tables with fractions [n]."""
        def fixed(value: Tensor, most: int) -> Tensor:
            return value + ((value * UNIT).round().clamp(-most, most) / UNIT - value).detach() if whole else value

        def layer(x: Tensor, weight: Tensor, bias: Tensor, most: int) -> Tensor:
            total = nn.functional.leaky_relu(x @ fixed(weight, most) + bias, 0.01)
            return total + ((total + 0.5).floor().clamp(0, TOP) - total).detach() if whole else total.clamp_max(TOP)

        x = layer(seen, self.entry, self.place[place] + self.state[state], ENTRY)
        x = layer(x, self.inner, self.inner_bias, INNER)
        return (x @ fixed(self.out, INNER) + self.out_bias)[:, 0]

    def integers(self) -> TokenNetwork:
        """As whole numbers."""
        def whole(value: Tensor, most: int = 1 << 21) -> Ints:
            return (value.detach() * UNIT).round().clamp(-most, most).numpy().astype(np.int32)

        return TokenNetwork(whole(self.entry, ENTRY), whole(self.place), whole(self.state), whole(self.inner, INNER),
                            whole(self.inner_bias), whole(self.out, INNER), whole(self.out_bias))


def _fit(name: str, kept: Kept, cost: NDArray[np.float64], steps: int, say: Callable[[str], None]) -> TokenNetwork:
    """Lower the bits of all samples, the last half of the steps with whole numbers.

    Between two tables bits are drawn straight, so that there is a gradient.
    """
    torch.manual_seed(0)
    seen, place, state, found, weight = (torch.from_numpy(np.concatenate(each)) for each in vars(kept).values())
    bits, net, total = torch.from_numpy(cost.astype(np.float32)), _Net(*SHAPES[name]), 0.0
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / steps)
        at = torch.randint(len(seen), (BATCH,))
        table = net(seen[at].float(), place[at], state[at], step >= steps // 2)
        inside = table.clamp(0.0, CHANCES - 1.001)
        low, entry = inside.detach().floor().long(), found[at].long()
        first, second = bits[low, entry], bits[low + 1, entry]
        spent = first + (inside - low) * (second - first) + (table - inside).abs() * 0.1
        loss = (spent * weight[at]).sum() / weight[at].sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach())
        if (step + 1) % TOLD == 0:
            say(f"{name}, step {step + 1}: {total / TOLD:.4f} bits")
            total = 0.0
    return net.integers()
