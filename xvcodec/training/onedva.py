"""Training of onedva models: the painters of hivae learn to paint what prefixes of any length tell.

Variable-length dropout, once and on disk: a clip is coded, and decoded from all of its tokens and from some.
"""

from __future__ import annotations

import numpy as np
import torch

from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.drawing import nothing
from xvcodec.codec.family import GopCodec, Planes
from xvcodec.codec.guidance import Guidance
from xvcodec.codec.onedva import OnedvaCodec
from xvcodec.models.onedva import ONEDVA
from xvcodec.models.weights import load_model
from xvcodec.options import TUNES
from xvcodec.training.coded_clips import Coded
from xvcodec.training.data import Clips
from xvcodec.training.painting import PainterRecipe, PainterTask

QUALITIES = (44.0, 62.0)
"""Clips are coded at a quality (crf) drawn from here,"""
SHARES = (0.25, 0.9)
"""and decoded from all tokens, and from a share drawn from here."""
RECIPES = {"onedva": PainterRecipe(ONEDVA, minutes=120.0, batch=6, size=128, rate=1e-3, fall=0.4, averaging=0.99, gops=200)}


class OnedvaTask(PainterTask):
    """See `PainterTask`."""

    def start(self, clips: Clips) -> None:
        """The model is hivae's."""
        self.model.load_state_dict(load_model("hivae").module.state_dict())

    def coded(self, codec: GopCodec) -> Coded:
        """See `PainterTask`."""
        assert isinstance(codec, OnedvaCodec)
        guide = Guidance(None, self.model.config.text, codec.runtime.device)("")

        def code(planes: Planes, rng: np.random.Generator) -> list[tuple[Planes, float]]:
            quality = float(rng.uniform(*QUALITIES))
            analysis = codec.analyse(planes, quality, guide, str(rng.choice(TUNES)))
            closed = codec.closed(planes, analysis, quality, guide)
            _, progress = codec.begin(closed)
            whole = progress.until()
            tokens = sum(scan.tokens for scan in progress.scans[:whole])
            found = []
            for scans in (whole, progress.until(int(tokens * rng.uniform(*SHARES)))):
                symbols = codec.said(closed, progress.pieces(scans), nothing(0, 0, 0))
                parts = list(CrossmodalCodec.reconstruct(codec, symbols, quality, guide))
                pictures = Planes(torch.cat([part.luma for part in parts]), torch.cat([part.chroma for part in parts]))
                found.append((pictures, codec.seen(symbols, quality)))
            return found

        return code
