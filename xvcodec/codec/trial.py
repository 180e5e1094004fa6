"""One GOP on its way through the encoder: analysed once, coded at as many qualities as the rate control wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xvc_bitstream.chunks import OVERHEAD
from xvc_bitstream.gop import pack_gop
from xvc_bitstream.limits import MAX_QUALITY
from xvc_bitstream.records import Gop

from xvcodec.codec.entropy import pack
from xvcodec.codec.family import Guide, Planes
from xvcodec.codec.measure import mean_psnr
from xvcodec.codec.planes import to_frames, to_planes
from xvcodec.codec.session import Session
from xvcodec.media.types import Frame, VideoInfo

STEP = 256.0
"""Qualities are stored as whole multiples of 1/256."""


@dataclass(frozen=True)
class Coded:
    """A GOP at one quality."""

    gop: Gop
    quality: float  # crf as stored
    decode: Callable[[], Planes]

    @cached_property
    def planes(self) -> Planes:
        """What the decoder will have."""
        return self.decode()

    @property
    def size(self) -> int:
        """Bytes of the GOP's chunk in the file."""
        return len(pack_gop(self.gop)) + OVERHEAD


class Trial:
    """The frames of one GOP and what has been tried with them."""

    def __init__(self, session: Session, frames: list[Frame], info: VideoInfo, guide: Guide, tune: str = "psnr") -> None:
        self.session, self.frames, self.info, self.guide, self.tune = session, frames, info, guide, tune
        self._tried: dict[int, Coded] = {}
        self._analysis: Any = None
        self._analysed = 0.0  # the quality that it was for

    @cached_property
    def planes(self) -> Planes:
        """The frames as padded tensors."""
        multiple = self.session.codec.requirements.multiple_of
        return to_planes(self.frames, self.info.bit_depth, multiple, self.session.runtime.device)

    def analysis(self, quality: float) -> Any:
        """Motion or latents, found for the first quality that is asked for, see `renew`."""
        if self._analysis is None:
            self._analysis = self.session.codec.analyse(self.planes, quality, self.guide, self.tune)
            self._analysed = quality
        return self._analysis

    def renew(self, quality: float) -> bool:
        """Analyse anew for a quality that is too far from the one that the analysis was for; says whether that was so.

        Rate control asks for it between two searches, never within one: with another analysis a quality has another size.
        """
        if self._analysis is None or abs(quality - self._analysed) <= self.session.codec.requirements.near:
            return False
        self._analysis = None
        self._tried.clear()
        self.analysis(quality)
        return True

    def code(self, quality: float) -> Coded:
        """Code at `quality`, rounded to the nearest 1/256; the two latest results are remembered."""
        stored = min(MAX_QUALITY, max(0, round(quality * STEP)))
        if stored not in self._tried:
            coded = self.session.codec.encode(self.planes, self.analysis(stored / STEP), stored / STEP, self.guide)
            gop = Gop(tuple(frame.pts for frame in self.frames), self.frames[-1].duration, stored, self.guide.seed,
                      pack(coded.streams, self.session.coder, self.session.model.tables))
            if len(self._tried) > 1:
                self._tried.pop(next(iter(self._tried)))
            self._tried[stored] = Coded(gop, stored / STEP, coded.decoded)
        return self._tried[stored]

    def psnr(self, coded: Coded) -> float:
        """Mean PSNR-RGB of a result, dB."""
        decoded = to_frames(coded.planes, coded.gop.pts, [0] * len(self.frames), self.info.height, self.info.width,
                            self.info.bit_depth)
        return mean_psnr(self.frames, decoded, self.info)
