"""Files of the latent family: every size and number of frames, latents, damage, rate control, and latents without files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from latent_models import TINY, clip
from xvc_bitstream import BitstreamError

import xvcodec
from xvcodec import DecodeOptions, EncodeOptions
from xvcodec.errors import UsageError, XvcError
from xvcodec.media import open_video

WHERE = {"backend": "torch", "device": "cpu"}


def encoded(source: Path, tiny: Path, **more: object) -> io.BytesIO:
    """The clip as an .xvc file in memory."""
    sink = io.BytesIO()
    xvcodec.encode(source, sink, EncodeOptions(**{"model": str(tiny), "crf": 10.0, **WHERE, **more}))  # type: ignore[arg-type]
    return sink


def opened(file: io.BytesIO, tiny: Path, **more: object) -> xvcodec.Video:
    """The file, open."""
    return xvcodec.open(io.BytesIO(file.getvalue()), DecodeOptions(**{"model": str(tiny), **WHERE, **more}))  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "height", "frames", "depth"), [
    (32, 16, 1, 8), (17, 9, 2, 8), (33, 31, 3, 8), (16, 16, 4, 10), (24, 40, 5, 8), (8, 8, 6, 8), (50, 34, 9, 8),
    (2, 2, 7, 8), (64, 48, 8, 8),
])  # fmt: skip
def test_there_and_back(tiny: Path, tmp_path: Path, width: int, height: int, frames: int, depth: int) -> None:
    source = clip(tmp_path / "in.mkv", width, height, frames, depth)
    file = encoded(source, tiny)
    with opened(file, tiny) as video:
        assert video.probe()["frames"] == frames and video.probe()["model"] == TINY.name
        pictures = list(video.frames())
        (latents,) = video.latents()
        (integers,) = video.integers()
    assert len(pictures) == frames and pictures[0].y.shape == (height, width)
    assert pictures[0].y.dtype == (np.uint8 if depth == 8 else np.uint16)
    n = -(-(frames - 1) // 4)
    assert latents["latent"].shape == (1 + n, 16, -(-height // 8), -(-width // 8))
    assert latents["latent"].dtype == np.float32 and np.isfinite(latents["latent"]).all()
    assert set(integers) == ({"image.y", "image.z", "clip.y", "clip.z"} if n else {"image.y", "image.z"})
    assert xvcodec.verify(io.BytesIO(file.getvalue()), str(tiny)).ok


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """11 frames of 44x36."""
    return clip(tmp_path_factory.mktemp("latent") / "in.mkv", 44, 36, 11)


def test_latents_of_a_file_are_near_the_unquantised_ones(tiny: Path, source: Path) -> None:
    """Finer quality, nearer latents; GOPs of 6 and 5 frames decode alone."""
    exact = list(xvcodec.analyse(source, EncodeOptions(model=str(tiny), gop=6, **WHERE)))
    assert [gop["frames"] for gop in exact] == [6, 5] and [len(gop["latent"]) for gop in exact] == [3, 2]
    errors = []
    for crf in (0.0, 40.0):
        with opened(encoded(source, tiny, crf=crf, gop=6), tiny) as video:
            pairs = zip(exact, video.latents(), strict=True)
            errors.append(np.mean([np.abs(a["latent"] - b["latent"]).mean() for a, b in pairs]))
    assert errors[0] < 0.5 * errors[1]


def test_pictures_of_latents_are_those_of_the_file(tiny: Path, source: Path) -> None:
    with opened(encoded(source, tiny, crf=0.0), tiny) as video:
        (latents,) = video.latents()
        expected = list(video.rgb())
    painted = list(xvcodec.synthesise(latents, 44, 36, 11, model=str(tiny), **WHERE))  # type: ignore[arg-type]
    assert len(painted) == 11 and painted[0].shape == (36, 44, 3) and painted[0].dtype == np.uint8
    # the file's latents of the padding are not handed out, so the right and lower edge may differ
    assert max(np.abs(a[:24, :24].astype(int) - b[:24, :24]).max() for a, b in zip(painted, expected, strict=True)) <= 2
    for size in ((44, 36, 14), (52, 36, 11), (44, 36, 0)):
        with pytest.raises(UsageError, match="have latents"):
            list(xvcodec.synthesise(latents, *size, model=str(tiny), **WHERE))  # type: ignore[arg-type]


def test_the_prompt_guides_both_ways(tiny: Path, source: Path) -> None:
    with opened(encoded(source, tiny, prompt="waves"), tiny) as one, opened(encoded(source, tiny), tiny) as two:
        assert one.captions[0].text == "waves"
        assert not np.array_equal(next(one.latents())["latent"], next(two.latents())["latent"])


def test_rate_control_meets_a_size(tiny: Path, source: Path) -> None:
    small, large = (len(encoded(source, tiny, crf=crf).getvalue()) for crf in (63.0, 0.0))
    target = (small + large) // 2
    found = len(encoded(source, tiny, crf=None, target_size=target).getvalue())
    assert abs(found - target) < 0.1 * target
    assert len(encoded(source, tiny, preset="slow").getvalue()) > 0


def test_psnr_is_that_of_the_decoder(tiny: Path, source: Path) -> None:
    sink = io.BytesIO()
    result = xvcodec.encode(source, sink, EncodeOptions(model=str(tiny), crf=5.0, psnr=True, **WHERE))  # type: ignore[arg-type]
    with opened(sink, tiny) as video, open_video(source) as reader:
        originals = [frame.y.astype(float) for frame in reader.frames()]
        error = np.mean([np.mean((a - b.y) ** 2) for a, b in zip(originals, video.frames(), strict=True)])
    assert result.psnr is not None and abs(result.psnr - 10 * np.log10(255**2 / error)) < 6  # luma against RGB


def test_a_damaged_gop_is_concealed(tiny: Path, source: Path) -> None:
    file = encoded(source, tiny, gop=4)
    raw = bytearray(file.getvalue())
    with opened(file, tiny) as video:
        second = video.reader.entries[1]
    raw[second.offset + 40] ^= 255
    broken = io.BytesIO(bytes(raw))
    with pytest.raises(BitstreamError), opened(broken, tiny) as video:
        list(video.frames())
    with opened(broken, tiny, ignore_errors=True) as video:
        assert len(list(video.frames())) == 11
    with opened(broken, tiny, ignore_errors=True) as video:
        assert len(list(video.latents())) == 2
    assert not xvcodec.verify(io.BytesIO(bytes(raw)), str(tiny)).ok


@pytest.mark.parametrize("seed", range(12))
def test_random_damage_is_one_clear_error(tiny: Path, source: Path, seed: int) -> None:
    raw = bytearray(encoded(source, tiny, gop=4).getvalue())
    random = np.random.default_rng(seed)
    for place in random.integers(0, len(raw), 3):
        raw[place] ^= int(random.integers(1, 256))
    cut = io.BytesIO(bytes(raw[: len(raw) - int(random.integers(0, 2)) * 50]))
    try:
        with opened(cut, tiny) as video:
            list(video.frames())
    except (XvcError, BitstreamError) as error:
        assert str(error)
