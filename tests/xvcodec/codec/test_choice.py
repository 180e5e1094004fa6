"""`--model auto`: rates, however they are asked for, and the model of each."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from codec_clips import INFO as CLIP
from codec_clips import steady, texture, write_clip

import xvcodec
from xvcodec import EncodeOptions
from xvcodec.codec.choice import LOW_RATE, model_for, rate_of
from xvcodec.media import VideoInfo

INFO = VideoInfo(200, 100, frame_rate=Fraction(25), frames=50)
UNKNOWN = VideoInfo(200, 100, frame_rate=Fraction(25))


@pytest.mark.parametrize(("options", "rate"), [
    ({"bpp": 0.5}, 0.5), ({"bitrate": 500_000.0}, 1.0), ({"target_size": 12_500}, 0.1), ({"crf": 30.0}, None),
    ({"target_psnr": 30.0}, None), ({}, None),
])
def test_rates_in_bits_a_pixel(options: dict[str, float], rate: float | None) -> None:
    assert rate_of(EncodeOptions(**options), INFO) == rate  # type: ignore[arg-type]


def test_nobody_knows_the_rate_of_a_size_without_a_length() -> None:
    options = EncodeOptions(target_size=1, model="auto")
    assert rate_of(options, UNKNOWN) is None and model_for(options, UNKNOWN) == "crossmodal"
    assert model_for(options, INFO) == "hivae"


def test_low_rates_have_a_model_of_their_own() -> None:
    below, above = (EncodeOptions(bpp=LOW_RATE * factor, model="auto") for factor in (0.99, 1.01))
    assert model_for(below, INFO) == "hivae"
    assert model_for(above, INFO) == model_for(EncodeOptions(model="auto"), INFO) == "crossmodal"
    assert model_for(EncodeOptions(model="auto", preset="fast"), INFO) == "crossmodal-fast"
    assert model_for(EncodeOptions(model="onedva", bpp=0.01), INFO) == "onedva"


def test_files_are_made_by_the_model_of_their_rate(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    write_clip(source, CLIP, texture(CLIP, steady(2)))
    for bpp, model in ((0.019, "hivae"), (2.0, "crossmodal")):
        xvcodec.encode(source, tmp_path / "out.xvc", EncodeOptions(model="auto", bpp=bpp, verify=True))
        assert xvcodec.probe(tmp_path / "out.xvc")["model"] == model
