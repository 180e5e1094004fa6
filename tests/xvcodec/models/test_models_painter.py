"""The painters: what an untrained one does, what they see, and the windows of their transformer."""

from __future__ import annotations

import torch

from xvcodec.models.painter import Painter, PainterConfig, halves, wholes
from xvcodec.models.windows import WINDOW, WindowLayer

SMALL = (4, 1), (6, 1), (8, 1)
REST = torch.full((1,), 50.0), torch.rand(1, 2, 8, generator=torch.Generator().manual_seed(1)), torch.ones(1, 2)
"""Quality and caption."""


def awake(module: torch.nn.Module) -> torch.nn.Module:
    """The same without layers at zero."""
    for parameter in module.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return module.requires_grad_(False)


def test_an_untrained_painter_changes_nothing_and_planes_come_back() -> None:
    planes = torch.rand(1, 6, 16, 32) - 0.5
    assert torch.allclose(halves(*wholes(planes)), planes, atol=1e-6)
    painter = Painter(PainterConfig(*SMALL), 8, drawn=True)
    assert not painter(planes, *REST, torch.randn(1, 6, 16, 32), torch.zeros(1)).any()


def test_a_painter_sees_detail_and_not_brightness() -> None:
    painter = awake(Painter(PainterConfig(*SMALL, layers=1), 8, drawn=False))
    planes, more = torch.rand(1, 6, 16, 32) - 0.5, torch.tensor([0.2] * 4 + [0.1, -0.1]).view(1, 6, 1, 1)
    found = painter(planes, *REST)
    assert found.any() and torch.allclose(painter(planes + more, *REST), found, atol=1e-4)


def test_layers_that_are_added_change_nothing_until_they_learn() -> None:
    one = awake(Painter(PainterConfig(*SMALL), 8, drawn=False))
    other = Painter(PainterConfig(*SMALL, layers=2), 8, drawn=False)
    odd = other.load_state_dict(one.state_dict(), strict=False)
    assert not odd.unexpected_keys and {name.split(".")[0] for name in odd.missing_keys} == {"layers"}
    planes = torch.rand(1, 6, 16, 32) - 0.5
    assert torch.equal(other(planes, *REST), one(planes, *REST))
    assert not torch.allclose(awake(other)(planes, *REST), one(planes, *REST), atol=1e-3)


def test_positions_answer_within_their_window_and_nowhere_else() -> None:
    layer = awake(WindowLayer(64))  # of two heads
    features = torch.randn(1, 64, 2 * WINDOW, 3 * WINDOW, generator=torch.Generator().manual_seed(1))
    other = features.clone()
    other[:, :, WINDOW, 2 * WINDOW] += 1.0  # the first position of the last window
    changed = (layer(other) - layer(features)).abs().amax((0, 1)) > 1e-6
    assert changed[WINDOW:, 2 * WINDOW :].all()
    changed[WINDOW:, 2 * WINDOW :] = False
    assert not changed.any()
