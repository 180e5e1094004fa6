"""onedva through files: prefixes, truncation, cut files, odd sizes, one frame, damage."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onedva_models import OPTIONS, TORCH, Drawn, alike, clip, weights
from xvc_bitstream import BitstreamError, DamagedError, Reader, Writer, pieces
from xvc_bitstream import UsageError as BitstreamUsageError

import xvcodec
from xvcodec.codec.measure import mean_psnr
from xvcodec.codec.onedva import OnedvaCodec, error_between
from xvcodec.codec.session import Session
from xvcodec.codec.slow import refine
from xvcodec.codec.tokens import CORRECTIONS
from xvcodec.codec.trial import Coded, Trial
from xvcodec.errors import UsageError, XvcError
from xvcodec.media import Frame, open_video
from xvcodec.models.weights import load_model


def decoding(model: Path, **options: object) -> xvcodec.DecodeOptions:
    return xvcodec.DecodeOptions(model=str(model), **TORCH, **options)  # type: ignore[arg-type]


def frames(path: Path, model: Path, **options: object) -> list[NDArray[np.uint8]]:
    with xvcodec.open(path, decoding(model, **options)) as video:
        return [frame.y for frame in video.frames()]


def error(path: Path, model: Path, truth: list[NDArray[np.uint8]], **options: object) -> float:
    made = frames(path, model, **options)
    assert len(made) == len(truth)
    return float(np.mean([(a.astype(float) - b) ** 2 for a, b in zip(made, truth, strict=True)]))


@pytest.fixture(scope="module")
def truth(source: Path) -> list[NDArray[np.uint8]]:
    with open_video(source) as reader:
        return [item.y for item in reader if isinstance(item, Frame)]


def test_every_prefix_decodes_and_more_tokens_are_better(coded: Path, tiny: Path, truth: list[NDArray[np.uint8]]) -> None:
    with Reader.open(coded) as reader:
        most = max(stream.shape[0] for gop in reader.gops() for stream in gop.streams if stream.name == "tokens")
    errors = [error(coded, tiny, truth, tokens=max(1, most * part // 4)) for part in range(5)]
    assert errors[-1] < errors[0] / 4
    assert all(later <= earlier * 1.02 for earlier, later in pairwise(errors))


def test_truncating_is_decoding_fewer_tokens(coded: Path, tiny: Path, tmp_path: Path) -> None:
    size = coded.stat().st_size
    small = tmp_path / "small.xvc"
    xvcodec.truncate(coded, small, size=size * 2 // 3)
    assert small.stat().st_size <= size * 2 // 3
    assert xvcodec.verify(small, str(tiny)).ok
    with Reader.open(small) as reader:
        counts = [len(pieces.pieces_of(gop)) for gop in reader.gops()]
    with Reader.open(coded) as reader:
        gops = [pieces.keep(gop, count) for gop, count in zip(reader.gops(), counts, strict=True)]
    with Reader.open(small) as reader:
        assert list(reader.gops()) == gops
    assert len(frames(small, tiny)) == 9
    with pytest.raises(BitstreamUsageError, match="coarsest"):
        xvcodec.truncate(coded, tmp_path / "none.xvc", size=200)


def test_a_file_cut_anywhere_in_its_last_gop_decodes(coded: Path, tiny: Path, tmp_path: Path) -> None:
    data = coded.read_bytes()
    with Reader.open(coded) as reader:
        last = reader.entries[1]
    counts = []
    for part in (0.2, 0.95):
        cut = tmp_path / f"{part}.xvc"
        cut.write_bytes(data[: last.offset + int(last.size * part)])
        counts.append(len(frames(cut, tiny)))
    assert counts[-1] == 9 and set(counts) <= {6, 9}


@pytest.mark.parametrize(("width", "height", "count"), [(33, 17, 1), (8, 8, 2), (64, 32, 5)])
def test_sizes(width: int, height: int, count: int, tiny: Path, tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", width, height, count)
    result = xvcodec.encode(source, tmp_path / "out.xvc", replace(OPTIONS, model=str(tiny), psnr=True))
    made = frames(tmp_path / "out.xvc", tiny)
    assert len(made) == count and made[0].shape == (height, width)
    assert result.psnr is not None and result.psnr > 28.0


def cut_at(coded: Path, target: Path, level: int, rest: int = 0) -> Path:
    """The file's first GOP with pieces below a level, `rest` bytes of those that follow, and no end."""
    with Reader.open(coded) as reader:
        gop, place = reader.gop(0), reader.entries[0]
        kept = [piece for piece in pieces.pieces_of(gop) if piece.level < level]
    whole = pieces.join(pieces.pieces_of(gop)).payload
    end = place.offset + place.size - 4 - len(whole) + len(pieces.join(kept).payload) + rest  # its CRC stands last
    target.write_bytes(coded.read_bytes()[:end])
    return target


def test_corrections_of_motion_are_lost_before_anchors(coded: Path, tiny: Path, tmp_path: Path) -> None:
    """Frames 0, 2 and 5 are the key frame and anchors; a file may be cut in the midst of the corrections."""
    whole, between = frames(cut_at(coded, tmp_path / "whole.xvc", 1 << 10), tiny), []  # the same GOP, nothing follows it
    with Reader.open(coded) as reader:
        found = pieces.pieces_of(reader.gop(0))
    motion = next(piece for piece in found if piece.level == CORRECTIONS)
    assert (motion.scans, motion.tokens) == (0, 0) and motion.payload and found[-1].level > CORRECTIONS
    for level, rest in ((CORRECTIONS, 0), (CORRECTIONS, len(motion.payload) // 2), (CORRECTIONS + 1, 0)):
        made = frames(cut_at(coded, tmp_path / "cut.xvc", level, rest), tiny)
        assert len(made) == 6 and all(np.array_equal(made[at], whole[at]) for at in (0, 2, 5))
        between.append(made[1])
    assert np.array_equal(between[0], between[1]) and not np.array_equal(between[0], between[2])
    assert not np.array_equal(between[2], whole[1])
    made = frames(cut_at(coded, tmp_path / "cut.xvc", CORRECTIONS - 2), tiny)
    assert not np.array_equal(made[5], whole[5])


Change = Callable[[list[pieces.Piece], int], list[pieces.Piece]]
CHANGES: dict[str, Change] = {
    "a scan": lambda all_, at: [*all_[:at], replace(all_[at], scans=1), *all_[at + 1 :]],
    "a token": lambda all_, at: [*all_[:at], replace(all_[at], tokens=1), *all_[at + 1 :]],
    "twice": lambda all_, at: [*all_[: at + 1], *all_[at:]],
    "none": lambda all_, at: [*all_[:at], *all_[at + 1 :]],
    "too early": lambda all_, at: [*all_[: at - 1], all_[at]],
    "levels that fall": lambda all_, at: [all_[at], *all_[:at]],
    "another level": lambda all_, at: [*all_[: at + 1], *(replace(each, level=99) for each in all_[at + 1 :])],
}


@pytest.mark.parametrize("change", CHANGES)
def test_strange_corrections_are_damage(change: str, coded: Path, tiny: Path, tmp_path: Path) -> None:
    with Reader.open(coded) as reader:
        gop, header = reader.gop(0), reader.header
    found = pieces.pieces_of(gop)
    at = [piece.level for piece in found].index(CORRECTIONS)
    stream = pieces.join(CHANGES[change](found, at))
    with (tmp_path / "broken.xvc").open("wb") as sink, Writer(sink, header) as writer:
        writer.gop(replace(gop, streams=tuple(stream if each.name == "tokens" else each for each in gop.streams)))
    with pytest.raises(DamagedError, match="GOP 0"):
        frames(tmp_path / "broken.xvc", tiny)


def test_corrections_where_nothing_lies_between_are_damage(tiny: Path, tmp_path: Path) -> None:
    xvcodec.encode(clip(tmp_path / "in.mkv", 33, 17, 1), tmp_path / "one.xvc", replace(OPTIONS, model=str(tiny)))
    with Reader.open(tmp_path / "one.xvc") as reader:
        gop, header = reader.gop(0), reader.header
    found = pieces.pieces_of(gop)
    assert found[-1].level == CORRECTIONS - 1
    stream = pieces.join([*found, pieces.Piece(CORRECTIONS, 0, 0, b"")])
    with (tmp_path / "broken.xvc").open("wb") as sink, Writer(sink, header) as writer:
        writer.gop(replace(gop, streams=tuple(stream if each.name == "tokens" else each for each in gop.streams)))
    with pytest.raises(DamagedError, match="there are none"):
        frames(tmp_path / "broken.xvc", tiny)


def test_decoders_read_as_many_tokens_as_encoders_were_told(tiny: Path, tmp_path: Path) -> None:
    """Corrections are there once all tokens of key frame and anchors are."""
    source, anchors = clip(tmp_path / "in.mkv", 33, 17, 6), 0
    for more in (10**6, -1, 0):
        tokens = anchors + more
        xvcodec.encode(source, tmp_path / "few.xvc", replace(OPTIONS, model=str(tiny), tokens=tokens, crf=None))
        with Reader.open(tmp_path / "few.xvc") as reader:
            found = pieces.pieces_of(reader.gop(0))
        anchors = sum(piece.tokens for piece in found if piece.level < CORRECTIONS) if more > 0 else anchors
        assert (CORRECTIONS in [piece.level for piece in found]) == (more >= 0)
        whole, again = (frames(tmp_path / "few.xvc", tiny, **each) for each in ({}, {"tokens": tokens}))
        assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True))


def test_tokens_fix_the_length(source: Path, tiny: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, model=str(tiny), tokens=60, crf=None, gop=6)
    xvcodec.encode(source, tmp_path / "few.xvc", options)
    with Reader.open(tmp_path / "few.xvc") as reader:
        assert all(sum(piece.tokens for piece in pieces.pieces_of(gop)) <= 60 for gop in reader.gops())
    with pytest.raises(UsageError, match="exclude"):
        replace(options, crf=20.0)
    with pytest.raises(UsageError, match="that write tokens"):
        xvcodec.encode(source, tmp_path / "not.xvc", replace(OPTIONS, tokens=60, crf=None))


def test_motion_can_be_dropped_but_not_all_tokens(coded: Path, tiny: Path) -> None:
    whole = frames(coded, tiny)
    for name, changed, same in (("global", 5, 0), ("detail", 1, 5)):  # frame 5 is an anchor
        without = frames(coded, tiny, drop=(name,))
        assert len(without) == len(whole) and np.array_equal(without[same], whole[same])
        assert not np.array_equal(without[changed], whole[changed])
    with pytest.raises(UsageError, match="use --tokens N"):
        frames(coded, tiny, drop=("tokens",))


def test_a_whole_file_is_what_hivae_makes(coded: Path, tiny: Path, source: Path, tmp_path: Path) -> None:
    """The same networks, the same integers: only how these are written differs."""
    other = alike(tmp_path)
    xvcodec.encode(source, tmp_path / "hivae.xvc", replace(OPTIONS, model=str(other), gop=6))
    ours, its = frames(coded, tiny), frames(tmp_path / "hivae.xvc", other)
    assert len(ours) == 9 and all(np.array_equal(a, b) for a, b in zip(ours, its, strict=True))


@pytest.mark.parametrize("tokens", [None, 40])
def test_encoders_know_what_decoders_will_show(tokens: int | None, tiny: Path, tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", 64, 32, 3)
    options = replace(OPTIONS, model=str(tiny), psnr=True, crf=None if tokens else OPTIONS.crf, tokens=tokens)
    result = xvcodec.encode(source, tmp_path / "out.xvc", options)
    with open_video(source) as reader, xvcodec.open(tmp_path / "out.xvc", decoding(tiny)) as video:
        wanted = mean_psnr([each for each in reader if isinstance(each, Frame)], list(video.frames()), reader.info)
    assert result.psnr == pytest.approx(wanted, abs=0.02)


def test_a_still_clip_takes_few_tokens(coded: Path, tiny: Path, tmp_path: Path) -> None:
    still = clip(tmp_path / "still.mkv", 71, 45, 6, still=True)
    xvcodec.encode(still, tmp_path / "still.xvc", replace(OPTIONS, model=str(tiny), gop=6))
    with Reader.open(coded) as one, Reader.open(tmp_path / "still.xvc") as other:
        counts = [sum(piece.tokens for piece in pieces.pieces_of(reader.gop(0))) for reader in (one, other)]
    assert counts[1] < 0.7 * counts[0]


def test_what_is_drawn_follows_the_seed_and_the_mean_does_not(source: Path, tmp_path: Path, everything_drawn: Drawn) -> None:
    model = weights(tmp_path, plain=False)
    with everything_drawn():
        xvcodec.encode(source, tmp_path / "out.xvc", replace(OPTIONS, model=str(model)))

    def same(one: tuple[int | None, int], other: tuple[int | None, int]) -> bool:
        made = (frames(tmp_path / "out.xvc", model, steps=steps, seed=seed) for steps, seed in (one, other))
        return all(np.array_equal(a, b) for a, b in zip(*made, strict=True))

    assert same((1, 5), (1, 5)) and same((None, 5), (1, 5)) and same((0, 5), (0, 6))
    assert not same((1, 5), (1, 6)) and not same((1, 5), (2, 5)) and not same((0, 5), (1, 5))


def test_slow_meets_the_usual_error_by_decoding(tiny: Path, tmp_path: Path) -> None:
    with open_video(clip(tmp_path / "in.mkv", 64, 32, 3)) as reader:
        info, shown = reader.info, [each for each in reader if isinstance(each, Frame)]
    session = Session.open(load_model(str(tiny)), "constriction", None, "torch", "cpu")
    codec, trial = session.codec, Trial(session, shown, info, session.guidance(""))
    assert isinstance(codec, OnedvaCodec)

    def off(coded: Coded) -> float:
        """Decibels from the error that files of quality 24 usually have."""
        return abs(10.0 * math.log10(error_between(coded.planes, trial.planes) / codec.usual_error(24.0)))

    usual = trial.code(24.0)
    assert off(refine(trial, usual)) < max(0.3, off(usual) / 4)


def test_damage_is_one_sentence(coded: Path, tiny: Path, tmp_path: Path) -> None:
    random, failures = np.random.default_rng(2), 0
    with Reader.open(coded) as reader:
        gop, header = reader.gop(0), reader.header
    for _ in range(6):
        broken = []
        for stream in gop.streams:
            payload = bytearray(stream.payload)
            payload[int(random.integers(len(payload)))] ^= 1 << int(random.integers(8))
            broken.append(replace(stream, payload=bytes(payload)))
        target = tmp_path / "broken.xvc"
        with target.open("wb") as sink, Writer(sink, header) as writer:
            writer.gop(replace(gop, streams=tuple(broken)))
        try:
            frames(target, tiny)
        except (XvcError, BitstreamError) as failure:
            failures += 1
            assert "\n" not in str(failure)
    assert failures
