"""A model that codes from its first step: linear paths set to the principal components of real residuals."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xvcodec.models.coder import ConditionalCoder, nominal_step
from xvcodec.models.crossmodal import BETWEEN, CHUNK, Crossmodal, Picture, pack, pack_several
from xvcodec.models.integer import TABLES
from xvcodec.models.layers import KNOTS
from xvcodec.training.data import Clips
from xvcodec.training.rate import LARGEST, SMALLEST


@torch.no_grad()
def _components(coder: ConditionalCoder, patches: Tensor) -> None:
    """Set the linear paths to the leading components of `patches` [P, 4 * channels], and the first scale indices."""
    covariance = patches.T @ patches / patches.shape[0]
    values, vectors = torch.linalg.eigh(covariance.double())
    latents = coder.config.latents
    values = values.flip(0)[:latents].clamp_min(1e-9).float()
    basis = vectors.flip(1)[:, :latents].float()
    coder.encoder.linear.weight.copy_(basis.T)
    coder.decoder.linear.weight.copy_(basis)
    knots = torch.arange(KNOTS, dtype=torch.float32) * 8.0
    step = nominal_step(knots).unsqueeze(1) * coder.config.coarseness
    scale = (values.sqrt() * 0.6).unsqueeze(0) / step
    index = torch.log(scale / SMALLEST) / torch.log(torch.tensor(LARGEST / SMALLEST)) * (TABLES - 1)
    coder.prior.scales.last_bias.knots.values.copy_(index.clamp(0.0, TABLES - 1.0) - 0.0)


@torch.no_grad()
def set_linear_paths(model: Crossmodal, clips: Clips, batches: int = 60) -> None:
    """Measure key frames, anchor residuals and between residuals on original frames and set all three coders."""
    gathered: dict[str, list[Tensor]] = {"key": [], "anchor": [], "between": []}
    for _ in range(batches):
        batch = clips.clips(4, 1, 192)
        luma, chroma, fields = batch.luma, batch.chroma, batch.fields[:, 0]
        memory = torch.zeros(4, model.config.memory, 24, 24)
        before, after = (Picture(luma[:, t], chroma[:, t], memory) for t in (0, CHUNK))
        shares = (torch.arange(1, CHUNK) / CHUNK).expand(4, BETWEEN)
        gathered["key"].append(pack(luma[:, 0], chroma[:, 0]))
        gathered["anchor"].append(pack(after.luma, after.chroma) - model.predict_anchor(before, fields[:, 0])[0])
        truth = pack_several(luma[:, 1:CHUNK].flatten(0, 1), chroma[:, 1:CHUNK].flatten(0, 1))
        gathered["between"].append(truth - model.predict_between(before, after, fields, shares)[0])
    for name, packed in gathered.items():
        patches = F.pixel_unshuffle(torch.cat(packed), 2).movedim(1, -1).flatten(0, -2)
        _components(getattr(model, name), patches)
