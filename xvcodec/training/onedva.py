"""Training of onedva models: the painters of hivae learn to paint what prefixes of any length tell.

Variable-length dropout, once and on disk: a clip is coded at some qualities, and of each a prefix is decoded.
"""

from __future__ import annotations

import numpy as np

from xvcodec.codec.family import GopCodec, Planes
from xvcodec.codec.guidance import Guidance
from xvcodec.codec.onedva import Coding, OnedvaCodec, Symbols
from xvcodec.models.onedva import ONEDVA
from xvcodec.models.weights import load_model
from xvcodec.training.coded_clips import Coded
from xvcodec.training.data import Clips
from xvcodec.training.painting import PainterRecipe, PainterTask

QUALITIES = (46.0, 63.0)
"""Clips are coded at qualities (crf) drawn from here,"""
PREFIXES = 2
"""at so many of them with the same motion, and a prefix of each is kept."""
WHOLE, SHORTEST = 0.6, 0.3
"""Share of prefixes that are all of the tokens, and the least share of the tokens that others have."""
RECIPES = {"onedva": PainterRecipe(ONEDVA, minutes=120.0, batch=6, size=128, rate=1e-3, fall=0.4, averaging=0.99, gops=200)}


class OnedvaTask(PainterTask):
    """See `PainterTask`."""

    def start(self, clips: Clips) -> None:
        """The painters are those of hivae; layers that hivae has not begin as no change."""
        self.model.load_state_dict(load_model("hivae").module.state_dict(), strict=False)

    def coded(self, codec: GopCodec) -> Coded:
        """See `PainterTask`."""
        assert isinstance(codec, OnedvaCodec)
        guide = Guidance(None, self.model.config.text, codec.runtime.device)("")

        def code(planes: Planes, rng: np.random.Generator) -> list[tuple[Planes, float]]:
            qualities = rng.uniform(*QUALITIES, PREFIXES)
            analysis = codec.analyse(planes, float(qualities.mean()), guide)
            told = [_prefix(codec, codec.coding(planes, analysis, float(quality)), rng) for quality in qualities]
            return [(Planes(*codec.unpainted(symbols).planes()), codec.nominal(symbols)) for symbols in told]

        return code


def _prefix(codec: OnedvaCodec, coding: Coding, rng: np.random.Generator) -> Symbols:
    """All tokens of a quality, or some of them."""
    progress = coding.progress
    scans = progress.until(coding.plane)
    if rng.random() >= WHOLE:
        tokens = sum(scan.tokens for scan in progress.scans[:scans])
        scans = progress.until(coding.plane, int(tokens * rng.uniform(SHORTEST, 1.0)))
    return codec.said(coding, progress.pieces(scans))
