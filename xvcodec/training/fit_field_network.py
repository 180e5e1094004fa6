"""The network that chooses the tables of motion vectors, fitted to the fields that `xvcodec.training.motion` searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from xvc_bitstream.tables import TableSet

from xvcodec.codec.field_contexts import COMPONENTS, ROLES, TABLES, Asked, Ints, folded
from xvcodec.codec.field_network import (
    ENTRY,
    INNER,
    INPUTS,
    REACH,
    SIZES,
    TOP,
    UNIT,
    WIDTH,
    FieldNetwork,
    inputs_of,
    motion_tables,
)
from xvcodec.codec.field_waves import waves
from xvcodec.codec.shifts import Prices
from xvcodec.models.quincunx import STEPS

BATCH = 16_384
RATE = 4e-3
TOLD = 500
"""Steps from one line of the log to the next."""


@dataclass(frozen=True)
class Seen:
    """Residuals of some clips, n of them."""

    inputs: NDArray[np.uint8]  # [n, INPUTS]
    places: NDArray[np.int64]  # role, component and step in one number, [n]
    residuals: Ints  # [n]


class _Recorder(FieldNetwork):
    """Notes what it is asked, in the order of the symbols; any table will do."""

    log: list[Asked]

    def __init__(self) -> None:
        object.__setattr__(self, "log", [])  # the arrays are never looked at

    def indices(self, asked: Sequence[Asked]) -> list[NDArray[np.uint8]]:
        """Note what is asked."""
        self.log.extend(asked)
        return [np.zeros((2, *each.shape), np.uint8) for each in asked]


def survey(clips: Sequence[Ints]) -> Seen:
    """What the network would be asked about the fields of some clips, int32 [chunks, 4, 3, h, w] each."""
    recorder = _Recorder()
    inputs, places, residuals = [], [], []
    for fields in clips:
        recorder.log.clear()
        parts = [own for wave in waves(fields, [3] * len(fields), recorder) for _, own in wave]
        for asked, own in zip(recorder.log, parts, strict=True):
            inputs.append(inputs_of(asked))
            places.append(np.full(own.size, (asked.role * COMPONENTS + asked.component) * STEPS + asked.step))
            residuals.append(own.ravel())
    return Seen(np.concatenate(inputs), np.concatenate(places), np.concatenate(residuals))


class _Net(nn.Module):
    """The same arithmetic with fractions, or rounded as `FieldNetwork` rounds, with straight-through gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Parameter(torch.randn(INPUTS, WIDTH) * 0.25)
        self.place = nn.Parameter(torch.randn(ROLES * COMPONENTS * STEPS, WIDTH) * 8.0 + 16.0)
        self.inner = nn.Parameter(torch.randn(WIDTH, WIDTH) * WIDTH**-0.5)
        self.inner_bias = nn.Parameter(torch.full((WIDTH,), 16.0))
        self.out = nn.Parameter(torch.randn(WIDTH, 2) * 0.05)
        self.out_bias = nn.Parameter(torch.full((2,), 16.0))

    def forward(self, seen: Tensor, places: Tensor, whole: bool) -> Tensor:
        """[n, INPUTS], [n] -> tables with fractions [n, 2]."""
        def fixed(value: Tensor, most: int) -> Tensor:
            return value + ((value * UNIT).round().clamp(-most, most) / UNIT - value).detach() if whole else value

        def layer(x: Tensor, weight: Tensor, bias: Tensor, most: int) -> Tensor:
            total = nn.functional.leaky_relu(x @ fixed(weight, most) + bias, 0.01)
            return total + ((total + 0.5).floor().clamp(0, TOP) - total).detach() if whole else total.clamp_max(TOP)

        x = layer(seen, self.entry, self.place[places], ENTRY)
        x = layer(x, self.inner, self.inner_bias, INNER)
        return x @ fixed(self.out, INNER) + self.out_bias

    def integers(self) -> FieldNetwork:
        """As whole numbers."""
        def whole(value: Tensor, most: int = 1 << 21) -> Ints:
            return (value.detach() * UNIT).round().clamp(-most, most).numpy().astype(np.int32)

        place = whole(self.place).reshape(ROLES, COMPONENTS, STEPS, WIDTH)
        return FieldNetwork(whole(self.entry, ENTRY), place, whole(self.inner, INNER), whole(self.inner_bias),
                            whole(self.out, INNER), whole(self.out_bias), motion_tables())


def fit_field_network(clips: Sequence[Ints], steps: int, seed: int, say: Callable[[str], None]) -> FieldNetwork:
    """Lower the bits of all symbols; the last half of the steps with whole numbers.

    Between two tables bits are drawn straight, so that there is a gradient.
    """
    torch.manual_seed(seed)
    seen, prices = survey(clips), Prices(TableSet(motion_tables(), -REACH))
    bits = torch.from_numpy(prices.bits.astype(np.float32))
    inputs, places = torch.from_numpy(seen.inputs), torch.from_numpy(seen.places)
    signs = torch.from_numpy(prices.entries(np.sign(seen.residuals)).astype(np.int64))
    sizes = torch.from_numpy(prices.entries(folded(np.abs(seen.residuals).clip(1) - 1)).astype(np.int64))
    moved = torch.from_numpy(seen.residuals != 0)
    net, total = _Net(), 0.0
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / steps)
        at = torch.randint(len(inputs), (BATCH,))
        found = net(inputs[at].float(), places[at], step >= steps // 2)
        spent = _bits(bits[:SIZES], found[:, 0], signs[at]) + _bits(bits[SIZES:], found[:, 1], sizes[at]) * moved[at]
        loss = spent.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach())
        if (step + 1) % TOLD == 0:
            say(f"step {step + 1}: {total / TOLD:.4f} bits a component")
            total = 0.0
    return net.integers()


def _bits(bits: Tensor, table: Tensor, entries: Tensor) -> Tensor:
    """Bits of symbols with tables that lie between two, [n]; what is beyond the last is drawn back."""
    inside = table.clamp(0.0, TABLES - 1.001)
    low = inside.detach().floor().long()
    first, second = bits[low, entries], bits[low + 1, entries]
    return first + (inside - low) * (second - first) + (table - inside).abs() * 0.1
