"""The network that chooses tables: what was trained is what is baked, exact whatever the order of summation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.integer import LIMIT, TOP, UNIT, IntegerScales, ScaleNet
from xvcodec.models.layers import KNOTS

QUALITIES = torch.arange(64, dtype=torch.float32)


def random_net(seed: int, hyper: int = 8, latents: int = 20, width: int = 12, loud: float = 1.0) -> ScaleNet:
    """A net with weights all over their range."""
    torch.manual_seed(seed)
    net = ScaleNet(hyper, latents, torch.rand(KNOTS, latents) * 63.0, width).requires_grad_(False)
    for layer in (net.first, net.second, net.last):
        layer.weight.copy_(torch.randn_like(layer.weight) * loud)
    for bias in (net.first_bias, net.second_bias, net.last_bias):
        bias.knots.values.copy_(torch.randn_like(bias.knots.values) * 10.0 * loud)
    net.hyper_index.values.copy_(torch.rand_like(net.hyper_index.values) * 80.0 - 8.0)
    return net


def hyper_latents(kind: str, channels: int) -> Tensor:
    """Whole numbers [64, channels, 2, 3]."""
    shape = (64, channels, 2, 3)
    random = torch.Generator().manual_seed(1)
    if kind == "usual":
        return torch.randint(-6, 7, shape, generator=random).float()
    if kind == "wide":
        return torch.randint(-40, 41, shape, generator=random).float()
    sign = torch.randint(0, 2, shape, generator=random).float() * 2 - 1
    return sign * 2_000_000.0  # what a hostile file may hold


def in_integers(baked: IntegerScales, z: Tensor, q: Tensor, order: np.random.Generator) -> np.ndarray:
    """The network in int64, each sum in another order."""
    row = q.floor().long().numpy()
    height, width = z.shape[-2:]
    padded = F.pad(z.clamp(-TOP, TOP), (1, 1, 1, 1)).long().numpy()
    a = np.concatenate([padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)], 1)

    def layer(name: str, a: np.ndarray, top: int) -> np.ndarray:
        weight = getattr(baked, f"{name}_weight").long().numpy()
        bias = getattr(baked, f"{name}_bias").long().numpy()[row]
        total = np.zeros((a.shape[0], weight.shape[0], *a.shape[2:]), np.int64)
        for channel in order.permutation(weight.shape[1]):
            total += weight[:, channel, None, None] * a[:, None, channel]
        return ((total + bias[:, :, None, None] + 32) >> 6).clip(0, top)

    a = layer("first", a, 31)
    a = F.pixel_shuffle(torch.from_numpy(a), 2).numpy()
    return layer("last", layer("second", a, 31), 63)


@pytest.mark.parametrize("kind", ["usual", "wide", "hostile"])
@pytest.mark.parametrize("loud", [0.2, 3.0])
def test_training_and_baked_net_agree_bit_for_bit(kind: str, loud: float) -> None:
    net = random_net(3, loud=loud)
    baked = IntegerScales.bake(net)
    z = hyper_latents(kind, 8)
    for q in (QUALITIES, QUALITIES + 0.99):
        index = baked(z, q)
        assert torch.equal(net(z, q), index)
        assert index.shape == (64, 20, 4, 6) and index.dtype == torch.float32
        assert torch.equal(index, index.round()) and index.min() >= 0 and index.max() <= 63
        assert torch.equal(net.hyper_indices(q), baked.hyper_indices(q))
    assert len(baked(z, QUALITIES).unique()) > 10


@pytest.mark.parametrize("kind", ["usual", "hostile"])
def test_any_order_of_summation_gives_the_same(kind: str) -> None:
    baked = IntegerScales.bake(random_net(4, loud=2.0))
    z = hyper_latents(kind, 8)
    expected = baked(z, QUALITIES).numpy().astype(np.int64)
    for seed in range(3):
        assert np.array_equal(in_integers(baked, z, QUALITIES, np.random.default_rng(seed)), expected)


def test_a_batch_gives_what_its_samples_give_alone() -> None:
    baked = IntegerScales.bake(random_net(5))
    z = hyper_latents("usual", 8)
    together = baked(z, QUALITIES)
    for i in (0, 31, 63):
        assert torch.equal(together[i : i + 1], baked(z[i : i + 1], QUALITIES[i : i + 1]))


def test_weights_that_could_pass_the_limit_are_refused() -> None:
    needed = int(LIMIT / (127 * TOP)) // 9 + 1  # channels of the hyper-latent at which 9 taps of +-127 pass it
    net = random_net(6, hyper=needed, latents=4, width=4)
    net.first.weight.fill_(127.0 / UNIT)
    with pytest.raises(ValueError, match="2\\^24"):
        IntegerScales.bake(net)
    net.first.weight.fill_(100.0 / UNIT)
    assert IntegerScales.bake(net).check() < LIMIT


def test_shipped_nets_are_far_from_the_limit() -> None:
    from xvcodec.models.weights import load_model

    nets = [net for net in load_model("crossmodal-latent").module.modules() if isinstance(net, IntegerScales)]
    assert nets and all(net.check() < LIMIT / 8 for net in nets)
