"""Captions as the networks see them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from xvc_bitstream.records import OPEN_END, Caption

from xvcodec.codec.family import Guide
from xvcodec.errors import UsageError
from xvcodec.text.encoder import TextEncoder


def prompt_caption(text: str, language: str) -> Caption:
    """`--prompt`: one cue over the whole file."""
    return Caption(0, OPEN_END, text, language)


def text_between(captions: Sequence[Caption], start_us: int, end_us: int) -> str:
    """All cues that are on screen in [start, end), in file order, each text once, as one text."""
    texts = [cue.text for cue in captions if cue.start_us < max(end_us, start_us + 1) and cue.end_us > start_us]
    return ". ".join(dict.fromkeys(text for text in texts if text.strip()))


class Guidance:
    """Makes guides out of captions with one text encoder; without an encoder every guide is empty."""

    def __init__(self, encoder: TextEncoder | None, width: int, device: torch.device) -> None:
        if encoder is not None and encoder.dim != width:
            raise UsageError(f"text encoder {encoder.id} makes tokens of {encoder.dim} numbers, but this model takes "
                             f"{width}: leave --text-encoder out, or train a model with it")
        self.encoder, self.width, self.device = encoder, width, device

    def __call__(self, text: str) -> Guide:
        """Guide for a caption: text [1, T, D] and mask [1, T]; T is 0 without one."""
        if self.encoder is None or not text.strip():
            return Guide(torch.zeros(1, 0, self.width, device=self.device), torch.zeros(1, 0, device=self.device))
        tokens = torch.from_numpy(self.encoder.encode(text)).unsqueeze(0)
        return Guide(tokens.to(self.device), torch.ones(tokens.shape[:2], device=self.device))
