"""Training of hivae models: the coders are those of a crossmodal model and stay as they are, the painters learn."""

from __future__ import annotations

import numpy as np

from xvcodec.codec.family import GopCodec, Planes
from xvcodec.codec.guidance import Guidance
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.models.hivae import HIVAE
from xvcodec.models.weights import load_model
from xvcodec.options import TUNES
from xvcodec.training.coded_clips import Coded
from xvcodec.training.data import Clips
from xvcodec.training.painting import PainterRecipe, PainterTask

QUALITIES = (44.0, 62.0)
"""Clips are coded at a quality (crf) drawn from here."""
RECIPES = {
    "hivae-cpu": PainterRecipe(HIVAE, minutes=60, batch=6, size=128, rate=8e-4, fall=0.6, averaging=0.998, caption_drop=0.5,
                               gops=500, features=6.0, change=0.25, structure=40.0),
    "hivae": PainterRecipe(HIVAE, minutes=25, batch=64, size=256, rate=1e-3, gops=1000),
}


class HivaeTask(PainterTask):
    """See `PainterTask`."""

    def start(self, clips: Clips) -> None:
        """The coders are some that are trained already."""
        from xvcodec.families.hivae import CODES_LIKE

        self.model.load_state_dict(load_model(CODES_LIKE).module.state_dict(), strict=False)

    def coded(self, codec: GopCodec) -> Coded:
        """See `PainterTask`: at any quality, tuned for either."""
        assert isinstance(codec, HivaeCodec)
        guide = Guidance(None, self.model.config.text, codec.runtime.device)("")

        def code(planes: Planes, rng: np.random.Generator) -> list[tuple[Planes, float]]:
            quality = float(rng.uniform(*QUALITIES))
            analysis = codec.analyse(planes, quality, guide, str(rng.choice(TUNES)))
            return [(codec.unpainted(planes, analysis, quality, guide).decoded(), codec.nominal(quality))]

        return code
