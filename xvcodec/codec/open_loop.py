"""Latents without files: a video as unquantised latents, and latents (edited, or generated) as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xvcodec.codec.encode import Encoder
from xvcodec.codec.planes import to_frames
from xvcodec.codec.session import Session
from xvcodec.media.convert import to_rgb
from xvcodec.media.types import VideoInfo
from xvcodec.models.weights import load_model
from xvcodec.options import DecodeOptions, EncodeOptions
from xvcodec.text.load import load_text_encoder

MODEL = "crossmodal-latent"


def analyse(source: str | Path | BinaryIO, options: EncodeOptions = EncodeOptions(model=MODEL)) -> Iterator[dict[str, Any]]:
    """See `xvcodec.analyse`."""
    encoder = Encoder(source, options, None)
    with ExitStack() as stack:
        reader, _ = encoder.begin(stack)
        codec = encoder.session.codec
        for gop in stack.enter_context(closing(encoder.gops(reader))):
            if gop.frames:
                analysis = encoder.trial(gop).analysis(0.0)
                latents = codec.unquantised(analysis, encoder.info.height, encoder.info.width)
                yield {**latents, "frames": len(gop.frames)}


def synthesise(latents: Mapping[str, NDArray[Any]], width: int, height: int, frames: int, prompt: str | None,
               options: DecodeOptions) -> Iterator[NDArray[np.uint8]]:
    """See `xvcodec.synthesise`."""
    text = load_text_encoder(options.text_encoder or "default") if prompt else None
    session = Session.open(load_model(options.model or MODEL), "constriction", text, options.backend, options.device)
    info = VideoInfo(width, height, primaries=1, transfer=1, matrix=1)
    for planes in session.codec.paint(latents, frames, height, width, session.guidance(prompt or "")):
        count = planes.luma.shape[0]
        for frame in to_frames(planes, [0] * count, [0] * count, height, width, info.bit_depth):
            yield to_rgb(frame, info)
