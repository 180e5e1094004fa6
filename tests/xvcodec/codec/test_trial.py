"""One GOP on its way through the encoder: when it is analysed, and when again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from codec_clips import INFO, session_on

from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.family import CodedGop, Planes, Requirements
from xvcodec.codec.hivae import HivaeCodec
from xvcodec.codec.onedva import OnedvaCodec
from xvcodec.codec.trial import Trial
from xvcodec.media import Frame
from xvcodec.models.weights import LoadedModel


class Fake:
    """A codec that only notes what it is asked."""

    tunes = ("psnr",)

    def __init__(self, near: float) -> None:
        self.requirements = Requirements(multiple_of=32, max_gop_pixels=1 << 20, near=near)
        self.analysed: list[float] = []
        self.coded: list[tuple[float, float]] = []  # qualities of analysis and of coding

    def analyse(self, planes: Planes, quality: float, guide: Any, tune: str = "psnr") -> float:
        self.analysed.append(quality)
        return quality

    def encode(self, planes: Planes, analysis: float, quality: float, guide: Any) -> CodedGop:
        self.coded.append((analysis, quality))
        return CodedGop([], lambda: planes)


@pytest.fixture
def trial(fast: LoadedModel, request: pytest.FixtureRequest) -> Trial:
    """A grey picture, and a codec whose analysis reaches as far as the test says."""
    codec: Any = Fake(request.param)
    session = replace(session_on(fast), codec=codec)
    grey = [np.full(size, 128, np.uint8) for size in ((INFO.height, INFO.width), INFO.chroma_size, INFO.chroma_size)]
    return Trial(session, [Frame(0, *grey, 3600)], INFO, session.guidance(""))


@pytest.mark.parametrize(("trial", "again"), [
    (4.0, [30.0, 35.0, 30.5]), (math.inf, [30.0]), (0.0, [30.0, 34.0, 35.0, 38.0, 32.0, 30.5]),
], indirect=["trial"])  # fmt: skip
def test_it_is_analysed_again_where_quality_is_too_far(trial: Trial, again: list[float]) -> None:
    assert not trial.renew(30.0)  # what is not analysed yet will be when it is coded
    for quality in (30.0, 34.0, 35.0, 38.0, 32.0, 30.5):
        trial.renew(quality)
        trial.code(quality)
    codec: Any = trial.session.codec
    assert codec.analysed == again
    reach = codec.requirements.near
    assert len(codec.coded) == 6 and all(abs(analysis - quality) <= reach for analysis, quality in codec.coded)


@pytest.mark.parametrize("trial", [4.0], indirect=True)
def test_an_analysis_holds_until_it_is_renewed(trial: Trial) -> None:
    first = trial.code(30.0)
    for quality in (40.0, 50.0):
        trial.code(quality)
    codec: Any = trial.session.codec
    assert codec.analysed == [30.0]
    assert trial.renew(50.0) and not trial.renew(48.0) and codec.analysed == [30.0, 50.0]
    assert trial.code(30.0) is not first, "what was tried with another analysis is forgotten"


@pytest.mark.parametrize("trial", [4.0], indirect=True)
def test_what_was_tried_is_not_coded_again(trial: Trial) -> None:
    codec: Any = trial.session.codec
    first = trial.code(30.0)
    assert trial.code(30.0 + 1e-4) is first and len(codec.coded) == 1
    assert trial.code(31.0) is not first and trial.code(30.0) is first and len(codec.coded) == 2


def test_searches_for_vectors_hold_for_a_few_crf_only() -> None:
    assert CrossmodalCodec.requirements.near == math.inf
    assert HivaeCodec.requirements.near == OnedvaCodec.requirements.near == 4.0
