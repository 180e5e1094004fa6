"""What is rounded, moved until what comes out behind the loop filter is near the source; the decoder knows nothing of it.

To the nearest is the best rounding only where nothing follows. Behind the transform there is a filter that guesses much of
what rounding takes away, so the encoder decodes, asks for the gradient of what is wrong, and rounds again what would mend
it, with the same tables and prices (latents moved by gradients: Campos et al., 2019, Yang, Bamler and Mandt, 2020). Key
frames of four clips, in 1 % more bytes: 0.1 dB more, 7 % less of what MS-SSIM misses, a SqueezeNet distance 5 % smaller
(docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.codec.structure import dissimilarity
from xvcodec.models.coder import AREA, Coder, nominal_step
from xvcodec.models.crossmodal import PATCH, Crossmodal, Picture, pack, unpack
from xvcodec.runtime.torch_runtime import resolve_precision

SHARE = 0.4
"""How far what is rounded moves in each round, of the way to where the gradient says."""
STRUCTURE = 0.4
"""What MS-SSIM's gradient counts when tuned perceptually, squared error the rest."""
TINY = 1e-12
Decode = Callable[[Tensor], Tensor]
"""Latent in quantiser steps, means included, [1, L, h, w] -> packed pictures [1, 96 f, H/8, W/8]."""


@dataclass
class Goal:
    """Pictures to come near to, f of them. See `goal_of`; tensors are on the model's device."""

    decode: Decode
    q: Tensor  # quality (crf), [1, 1, H/32, W/32]
    luma: Tensor  # [f, 1, H, W] in [-0.5, 0.5]
    chroma: Tensor  # [f, 2, H/2, W/2]
    blocks: Tensor  # what squared errors count, [1, 1, H/8, W/8]
    bend: Tensor
    """Second derivative of what is wrong if there were no filter, [1, L, h, w]."""
    structure: float  # what MS-SSIM's dissimilarity counts, 0 to 1
    half: bool  # products in bfloat16
    scale: float = 0.0  # of it, so that it would move latents as far as squared errors do; found in the first round

    def nearer(self, target: Tensor, latent: Tensor) -> Tensor:
        """What to round instead.

        Args:
            target: what was rounded, means included, [1, L, h, w] in quantiser steps.
            latent: what decoders have of it.
        Returns:
            the same shape, on the device of `target`.
        """
        with torch.inference_mode(False), torch.enable_grad():
            own = latent.to(self.q.device, copy=True).requires_grad_()
            errors, unlike = self._measured(own)
            slope = torch.autograd.grad(errors, own, retain_graph=True)[0]
            if self.structure:
                structure = torch.autograd.grad(unlike, own)[0]
                moves = [(each / self.bend).norm() for each in (slope, structure)]
                self.scale = self.scale or float(moves[0] / moves[1].clamp_min(TINY))
                slope = torch.lerp(slope, self.scale * structure, self.structure)
        return torch.lerp(target, latent - (slope / self.bend).to(latent.device), SHARE)

    def wrong(self, latent: Tensor) -> float:
        """What is wrong with what decoders have, squared nominal steps; comparable once `nearer` has run."""
        with torch.inference_mode(False), torch.no_grad():  # as `nearer`: what watches the loop is to see the loop alone
            errors, unlike = self._measured(latent.to(self.q.device))
            return float(torch.lerp(errors, self.scale * unlike, self.structure))

    def _measured(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Squared errors as blocks count them, in nominal steps, and MS-SSIM's dissimilarity."""
        with torch.autocast(latent.device.type, torch.bfloat16, enabled=self.half):
            pictures = self.decode(latent).float()
        step = F.interpolate(nominal_step(self.q), scale_factor=float(AREA // PATCH))
        together = len(self.luma)
        errors = ((pictures - pack(self.luma, self.chroma, together)) / step).square() * self.blocks
        unlike = dissimilarity(unpack(pictures, together)[0], self.luma) if self.structure else errors.new_zeros(())
        return errors.sum(), unlike


def goal_of(model: Crossmodal, kind: str, picture: Sequence[Tensor], state: Sequence[Tensor], q: Tensor,
            precision: str, blocks: Tensor | None) -> Goal:
    """What a key frame, an anchor or f frames between are to come near to.

    Args:
        model: on the device where gradients are taken.
        picture: the source, luma [f, 1, H, W] and chroma [f, 2, H/2, W/2] in [-0.5, 0.5].
        state: of a key frame the caption (text, mask), of others what they are predicted from, as `Crossmodal` takes it:
            planes of the anchor before and a field, or of both anchors, fields and shares.
        q: quality of its areas, [1, 1, H/32, W/32].
        precision: as of runtimes.
        blocks: what squared errors count in each 8x8 block, [H/8, W/8]; None: tuned for PSNR.
    """
    device, coder = next(model.parameters()).device, getattr(model, kind)
    with torch.inference_mode(False), torch.no_grad():  # what is made in inference mode takes no part in gradients
        luma, chroma, q, *state = (each.to(device, copy=True) for each in (*picture, q, *state))
        if kind == "key":
            decode = partial(_key, model, q, *state)
        elif kind == "anchor":
            decode = partial(_predicted, coder, q, model.predict_anchor(Picture(*state[:2]), *state[2:]))
        else:
            both = Picture(*state[:2]), Picture(*state[2:4])
            decode = partial(_predicted, coder, q, *model.predict_between(*both, *state[4:]))
        structure = 0.0 if blocks is None else STRUCTURE
        blocks = torch.ones([AREA // PATCH * size for size in q.shape[2:]]) if blocks is None else blocks
        blocks = blocks[None, None].to(device, copy=True)
        relative = coder.step(q) / F.interpolate(nominal_step(q), scale_factor=float(AREA // coder.patch))
        weight = F.avg_pool2d(blocks, coder.patch // PATCH)
        return Goal(decode, q, luma, chroma, blocks, 2.0 * weight * relative.square(), structure,
                    resolve_precision(precision, device)[0] == "bfloat16")


def _key(model: Crossmodal, q: Tensor, text: Tensor, mask: Tensor, latent: Tensor) -> Tensor:
    return model.key.pictures_of(latent, q, text, mask)


def _predicted(coder: Coder, q: Tensor, base: Tensor, *beside_and_latent: Tensor) -> Tensor:
    *beside, latent = beside_and_latent
    return coder.synthesise(latent, base, q, *beside)
