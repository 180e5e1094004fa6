"""Cut, damaged and hostile files: one clear error or a concealed GOP, never anything else."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from codec_clips import INFO, largest_difference, options, read_clip, steady, texture, write_clip, y4m
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xvc_bitstream import BitstreamError, DamagedError, Gop, Header, Reader, Stream, Writer

import xvcodec
from xvcodec import DecodeOptions
from xvcodec.codec import decode as decode_module
from xvcodec.errors import InputError, XvcError
from xvcodec.media import Frame
from xvcodec.media.synth import encode_sound, sweep

QUICK = DecodeOptions(backend="torch", device="cpu")
LENIENT = replace(QUICK, ignore_errors=True)
MILD = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", autouse=True)
def sessions_are_shared() -> Any:
    """Putting a session together takes longer than decoding such small files."""
    made: dict[Any, Any] = {}
    real = decode_module.open_session

    def cached(header: Header, wanted: DecodeOptions) -> Any:
        key = (header.model, header.model_hash, header.coder, header.text_encoder, wanted.text, wanted.model)
        if key not in made:
            made[key] = real(header, wanted)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_module, "open_session", cached)
        yield


@pytest.fixture(scope="module")
def single() -> bytes:
    """One GOP of two frames, 32x32, as few bytes as possible."""
    info = replace(INFO, width=32, height=32)
    sink = io.BytesIO()
    xvcodec.encode(io.BytesIO(y4m(info, texture(info, steady(2)))), sink, options(crf=63.0, prompt="a wave"))
    return sink.getvalue()


def decoded(data: bytes, **more: Any) -> list[Frame]:
    """All frames of a file."""
    with xvcodec.open(io.BytesIO(data), replace(QUICK, **more)) as video:
        return list(video.frames())


def behaves(action: Callable[[], Any]) -> Any:
    """The result, or None after one clear error; anything else fails the test."""
    try:
        return action()
    except (XvcError, BitstreamError) as error:
        message = str(error)
        assert message and "\n" not in message and "Traceback" not in message
        return None


def everything(data: bytes) -> None:
    """All that can be done with a file, in the way that is most forgiving."""
    behaves(lambda: xvcodec.probe(io.BytesIO(data)))
    behaves(lambda: xvcodec.verify(io.BytesIO(data)))
    behaves(lambda: list(xvcodec.open(io.BytesIO(data), LENIENT).latents()))
    behaves(lambda: xvcodec.decode(io.BytesIO(data), io.BytesIO(), LENIENT, None))
    behaves(lambda: decoded(data))


def test_a_file_cut_at_any_byte(single: bytes) -> None:
    whole = decoded(single)
    complete = 0
    for length in range(len(single)):
        cut = single[:length]
        result = behaves(lambda cut=cut: xvcodec.verify(io.BytesIO(cut)))
        assert result is None or not result.ok, length
        frames = behaves(lambda cut=cut: decoded(cut))
        if frames is not None:  # the GOP is whole, only the end is missing
            assert largest_difference(frames, whole) == 0
            complete += 1
    assert 20 < complete < 150


def test_a_longer_file_plays_to_its_last_whole_gop(short: bytes) -> None:
    whole = decoded(short)
    assert len(whole) == 6
    seen = set()
    for length in range(0, len(short), 41):
        frames = behaves(lambda length=length: decoded(short[:length])) or []
        assert len(frames) in (0, 2, 4, 6)
        assert not frames or largest_difference(frames, whole[: len(frames)]) == 0
        seen.add(len(frames))
        told = behaves(lambda length=length: xvcodec.decode(io.BytesIO(short[:length]), io.BytesIO(), QUICK))
        assert told is None or any("cut off" in warning for warning in told.warnings)
    assert seen == {0, 2, 4, 6}


@MILD
@given(st.data())
def test_changed_bytes_do_no_harm(short: bytes, data: st.DataObject) -> None:
    raw = bytearray(short)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        kind = data.draw(st.sampled_from(["set", "insert", "remove"]))
        if kind == "set":
            raw[place] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            raw[place:place] = data.draw(st.binary(max_size=9))
        else:
            del raw[place : place + data.draw(st.integers(1, 30))]
    everything(bytes(raw))


def rewritten(data: bytes, change: Callable[[int, Gop], Gop],
              header: Callable[[Header], Header] = lambda old: old) -> bytes:
    """The file with other GOPs under right checksums: what a hostile writer would make."""
    sink = io.BytesIO()
    with Reader.open(io.BytesIO(data)) as reader, Writer(sink, header(reader.header)) as writer:
        for number, gop in enumerate(reader.gops()):
            writer.gop(change(number, gop))
    return sink.getvalue()


@MILD
@given(st.data())
def test_lies_under_right_checksums_do_no_harm(short: bytes, data: st.DataObject) -> None:
    def lie(number: int, gop: Gop) -> Gop:
        streams = list(gop.streams)
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(streams) - 1))
            stream, payload = streams[at], bytearray(streams[at].payload)
            what = data.draw(st.sampled_from(["bytes", "cut", "more", "shape", "name", "gone", "empty"]))
            if what == "bytes" and payload:
                payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
            elif what == "cut":
                payload = payload[: data.draw(st.integers(0, len(payload)))]
            elif what == "more":
                payload += data.draw(st.binary(min_size=1, max_size=8))
            elif what == "empty":
                payload = bytearray()
            shape = tuple(data.draw(st.lists(st.integers(0, 99), max_size=4))) if what == "shape" else stream.shape
            streams[at] = Stream(f"x{at}" if what == "name" else stream.name, shape, bytes(payload))
            if what == "gone" and len(streams) > 1:
                del streams[at]
        frames = data.draw(st.sampled_from([2, 2, 2, 1, 3, 9, 40]))
        quality = data.draw(st.sampled_from([gop.quality, 0, 16128]))
        return Gop(tuple(gop.pts[0] + i for i in range(frames)), gop.duration, quality, gop.seed, tuple(streams))

    everything(rewritten(short, lie))


@MILD
@given(st.sampled_from(["width", "height", "bit_depth", "coder", "rotation", "sar", "time_base", "frame_rate", "model",
                        "model_hash", "text_encoder", "matrix"]), st.data())
def test_headers_that_lie_do_no_harm(short: bytes, name: str, data: st.DataObject) -> None:
    ratio = st.tuples(st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1))
    value = data.draw({
        "width": st.sampled_from([1, 33, 64, 4096]), "height": st.sampled_from([1, 33, 64, 4096]),
        "bit_depth": st.integers(8, 16), "coder": st.integers(0, 255), "rotation": st.sampled_from([0, 90, 180, 270]),
        "sar": ratio, "frame_rate": ratio, "time_base": ratio.filter(lambda pair: pair[0] > 0),
        "model": st.sampled_from(["crossmodal", "..", "a.safetensors", "text-minilm-static-1"]),
        "model_hash": st.binary(min_size=32, max_size=32), "text_encoder": st.sampled_from(["", "..", "t5.01234567"]),
        "matrix": st.integers(0, 255),
    }[name])
    everything(rewritten(short, lambda _, gop: gop, lambda header: replace(header, **{name: value})))


LIES = """
import io, resource, sys
import torch, xvcodec
from dataclasses import replace
from xvc_bitstream import BitstreamError, Gop, Reader, Stream, Writer
from xvcodec.errors import XvcError
data = open(sys.argv[1], "rb").read()
xvcodec.verify(io.BytesIO(data))
list(xvcodec.open(io.BytesIO(data)).frames())
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
with Reader.open(io.BytesIO(data)) as reader:
    header, first = reader.header, reader.gop(0)
claims = ((16384, 4096, 1024), (16384, 4096, 9), (1024, 1024, 1024), (32, 32, 1024), (8192, 4096, 16))
for width, height, frames in claims:
    for shape in (None, (1 << 29,), (1, 1 << 14, 1 << 14)):
        streams = tuple(Stream(s.name, shape or s.shape, s.payload) for s in first.streams)
        sink = io.BytesIO()
        with Writer(sink, replace(header, width=width, height=height)) as writer:
            writer.gop(Gop(tuple(range(frames)), 1, first.quality, 0, streams))
        try:
            list(xvcodec.open(sink).frames())
        except (XvcError, BitstreamError) as error:
            continue
        sys.exit(f"{width}x{height}, {frames} frames, {shape}: it was decoded")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are those of Linux")
def test_absurd_claims_take_no_memory(short: bytes, tmp_path: Path) -> None:
    """A gigabyte on top of what decoding the honest file took."""
    (tmp_path / "a.xvc").write_bytes(short)
    command = [sys.executable, "-c", LIES, str(tmp_path / "a.xvc")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env={**_environment()})
    assert done.returncode == 0, done.stderr[-2000:]


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


def broken(data: bytes, *numbers: int) -> bytes:
    """The file with a flipped bit near the end of some GOPs."""
    raw = bytearray(data)
    with Reader.open(io.BytesIO(data)) as reader:
        for number in numbers:
            entry = reader.entries[number]
            raw[entry.offset + entry.size - 9] ^= 16
    return bytes(raw)


def test_damage_stops_decoding_and_names_the_flag(coded: Path) -> None:
    with pytest.raises(DamagedError, match=r"GOP 1 .*--ignore-errors") as caught:
        decoded(broken(coded.read_bytes(), 1))
    assert caught.value.gop_index == 1
    assert str(caught.value).count("GOP") == 1 and str(caught.value).count("--ignore-errors") == 1


@pytest.mark.parametrize(("lost", "shown"), [
    ((1,), [*range(8), *[7] * 8, 16]), ((0,), [*[8] * 8, *range(8, 17)]), ((2,), [*range(16), 15]),
    ((0, 1), [16] * 17), ((1, 2), [*range(8), *[7] * 9]),
])
def test_lost_gops_show_their_neighbour(coded: Path, lost: tuple[int, ...], shown: list[int], tmp_path: Path) -> None:
    """The number of frames, their times and the other GOPs stay as they were."""
    whole = decoded(coded.read_bytes())
    data = broken(coded.read_bytes(), *lost)
    frames = decoded(data, ignore_errors=True)
    assert largest_difference(frames, [whole[i] for i in shown]) == 0
    assert [len({f.pts for f in frames}), frames[0].pts, frames[-1].pts] == [17, whole[0].pts, whole[-1].pts]
    assert max(abs(a.pts - b.pts) for a, b in zip(frames, whole, strict=True)) <= 1  # spread evenly, in milliseconds
    result = xvcodec.decode(io.BytesIO(data), tmp_path / "a.y4m", LENIENT)
    assert result.frames == 17 and len(result.damage) == len(lost)
    assert [message.split(" at ")[0] for message in result.damage] == [f"GOP {number}" for number in lost]
    assert len(read_clip(tmp_path / "a.y4m")[1]) == 17
    found = xvcodec.verify(io.BytesIO(data))
    assert not found.ok and found.gops == 3 - len(lost) and len(found.problems) == len(lost)


def test_symbols_that_do_not_decode_are_damage_too(coded: Path) -> None:
    """A GOP whose bytes are right but whose streams are not; its own times are exact."""
    def shorten(number: int, gop: Gop) -> Gop:
        if number != 1:
            return gop
        streams = tuple(replace(s, payload=s.payload[:-5]) if s.name == "key.y" else s for s in gop.streams)
        return replace(gop, streams=streams, pts=(*gop.pts[:-1], gop.pts[-1] + 3))

    data = rewritten(coded.read_bytes(), shorten)
    frames, whole = decoded(data, ignore_errors=True), decoded(coded.read_bytes())
    assert frames[15].pts == whole[15].pts + 3 and len(frames) == 17
    found = xvcodec.verify(io.BytesIO(data))
    assert found.gops == 2 and len(found.problems) == 1 and found.problems[0].startswith("GOP 1 at byte")


def test_all_gops_lost(short: bytes) -> None:
    with pytest.raises(InputError, match="no GOP can be decoded: GOP 0"):
        decoded(broken(short, 0, 1, 2), ignore_errors=True)


def test_a_trimmed_decode_conceals_with_what_lies_before(coded: Path) -> None:
    data, whole = broken(coded.read_bytes(), 1), decoded(coded.read_bytes())
    start = whole[6].pts / 1000 - 1e-5
    frames = decoded(data, ignore_errors=True, start=start, duration=4 / 30)
    assert largest_difference(frames, [whole[i] for i in (6, 7, 7, 7)]) == 0


def test_sound_goes_on_through_damage(tmp_path: Path) -> None:
    track, packets = encode_sound(sweep(0.6))
    source = write_clip(tmp_path / "a.mkv", INFO, texture(INFO, steady(12)), [track], packets)
    xvcodec.encode(source, tmp_path / "a.xvc", options(gop=4))
    (tmp_path / "b.xvc").write_bytes(broken((tmp_path / "a.xvc").read_bytes(), 1))
    for name in "ab":
        xvcodec.decode(tmp_path / f"{name}.xvc", tmp_path / f"{name}2.mkv", LENIENT)
    (_, one, sound), (_, two, other) = (read_clip(tmp_path / f"{name}2.mkv") for name in "ab")
    assert [p.data for p in sound] == [p.data for p in other] and len(sound) > 20
    assert all(abs(a.pts - b.pts) <= 1 for a, b in zip(one, two, strict=True))


def test_what_is_no_xvc_file(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "empty.xvc").write_bytes(b"")
    for path in (tmp_path / "empty.xvc", clip):
        for action in (xvcodec.probe, xvcodec.verify, xvcodec.open):
            with pytest.raises(BitstreamError):
                action(path)
        with pytest.raises(BitstreamError):
            xvcodec.decode(path, tmp_path / "a.mp4", QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.xvc"]
