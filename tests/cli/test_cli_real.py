"""The real thing: files, pipes, signals. Processes of their own cost seconds each, so there are few."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from xvc_cli.main import main

from tests.cli.conftest import Xvc
from xvcodec.media import open_video, synthesise

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
FAST = ["--model", "crossmodal-fast", "-crf", "40"]
FRAMES = 9


def start(*args: object, **streams: Any) -> subprocess.Popen[bytes]:
    """`xvc ARGS` as a process."""
    command = [sys.executable, "-m", "xvc_cli", *map(str, args)]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, **streams)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clip with sound."""
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    synthesise(path, seconds=FRAMES / 15, size=(96, 64), fps=15)
    return path


@pytest.fixture(scope="module")
def stream(clip: Path) -> Path:
    """The clip as .xvc."""
    target = clip.with_name("out.xvc")
    assert main(["encode", "-i", str(clip), "-o", str(target), *FAST, "--prompt", "a disc"]) == 0
    return target


def test_encode_tells(xvc: Xvc, clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.xvc"
    told = json.loads(xvc("encode", clip, "-o", target, *FAST, "-metadata", "title=Disc", "--psnr", "--json").out)
    assert told["frames"] == FRAMES
    assert told["psnr"] > 20
    assert told["total_bytes"] == target.stat().st_size
    assert json.loads(xvc("probe", target, "--json").out)["tags"]["title"] == "Disc"


def test_probe_and_captions_know_what_was_said(xvc: Xvc, stream: Path) -> None:
    told = json.loads(xvc("probe", stream, "--json").out)
    assert (told["width"], told["height"], told["frames"]) == (96, 64, FRAMES)
    assert len(told["audio_tracks"]) == 1
    assert "a disc" in xvc("captions", stream).out
    assert xvc("verify", stream).code == 0


def test_decode_to_a_file(xvc: Xvc, stream: Path, tmp_path: Path) -> None:
    target = tmp_path / "rec.mkv"
    flags = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-progress", "-"]
    assert xvc("decode", stream, "-o", target, *flags).out.endswith("progress=end\n")
    with open_video(target) as reader:
        assert sum(1 for _ in reader.frames()) == FRAMES
        assert len(reader.tracks) == 1
    assert xvc("decode", stream, "-o", target).code == 1
    result = xvc("decode", stream, "-o", target, "-y", "-crfx", "1")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["rec.mkv"]


def test_pipes(xvc: Xvc, stream: Path, tmp_path: Path) -> None:
    """`xvc decode x.xvc -o - | xvc encode -i - -o - > again.xvc`."""
    first = start("decode", stream, "-o", "-", stdout=subprocess.PIPE)
    assert first.stdout is not None
    with open(tmp_path / "again.xvc", "wb") as file:
        second = start("encode", "-i", "-", "-o", "-", *FAST, stdin=first.stdout, stdout=file)
        first.stdout.close()
        _, errors = second.communicate(timeout=240)
    assert second.returncode == 0, errors.decode()
    assert first.communicate(timeout=60)[1].startswith(b"xvc: 9 frames")
    assert first.returncode == 0
    assert json.loads(xvc("probe", tmp_path / "again.xvc", "--json").out)["frames"] == FRAMES


def test_y4m_on_stdout(stream: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["decode", str(stream), "-o", "-", "-t", "0.2"]) == 0
    raw = capfdbinary.readouterr().out
    assert raw.startswith(b"YUV4MPEG2 W96 H64 F15:1")
    assert raw.count(b"FRAME\n") == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.mp4", b"this is no video\n" * 50), ("cut.mp4", None), ("noise.xvc", b"\x07noise" * 500)],
)
def test_bad_inputs_leave_nothing(xvc: Xvc, clip: Path, tmp_path: Path, name: str, content: bytes | None) -> None:
    source = tmp_path / name
    source.write_bytes(clip.read_bytes()[:300] if content is None else content)
    verb, target = ("decode", "out.mp4") if name.endswith(".xvc") else ("encode", "out.xvc")
    result = xvc(verb, source, "-o", tmp_path / target)
    assert result.code == 1
    assert len(result.err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_unknown_model(xvc: Xvc, clip: Path, tmp_path: Path) -> None:
    result = xvc("encode", clip, "-o", tmp_path / "out.xvc", "--model", "nosuch")
    assert (result.code, len(result.err.strip().splitlines())) == (1, 1)
    assert "nosuch" in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM while the input, a pipe, has not ended: the temporary file goes."""
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143}
    children = {}
    for number in codes:
        (tmp_path / str(number)).mkdir()
        target = tmp_path / str(number) / "out.xvc"
        children[number] = start("encode", "-i", "-", "-o", target, *FAST, "-g", "1", stdin=subprocess.PIPE)
    try:
        for number, child in children.items():
            _interrupt(child, number, tmp_path / str(number))
            assert child.wait(timeout=60) == codes[number]
            assert child.stderr is not None
            assert b"Traceback" not in child.stderr.read()
            assert not list((tmp_path / str(number)).iterdir())
    finally:
        for child in children.values():
            child.kill()
            child.wait()


def _interrupt(child: subprocess.Popen[bytes], number: signal.Signals, folder: Path) -> None:
    """Feed `child` until its temporary file is in `folder`, then send the signal."""
    assert child.stdin is not None
    child.stdin.write(b"YUV4MPEG2 W32 H32 F25:1 Ip C420\n" + (b"FRAME\n" + bytes(1536)) * 200)
    child.stdin.flush()
    deadline = time.monotonic() + 120
    while not list(folder.iterdir()):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(number)
    child.stdin.close()


def test_closed_reader(stream: Path) -> None:
    """`xvc decode x.xvc -o - | head -c 1`."""
    child = start("decode", stream, "-o", "-", stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 1
    assert b"closed the pipe" in errors
    assert len(errors.strip().splitlines()) == 1


def test_demo(xvc: Xvc, clip: Path, tmp_path: Path) -> None:
    result = xvc("demo", "--clip", clip, "-o", tmp_path / "demo", "--model", "crossmodal-fast", "--prompt", "waves")
    assert "dB PSNR" in result.out
    made = {path.name for path in (tmp_path / "demo").iterdir()}
    assert made == {"out.xvc", "reconstruction.mp4", "side-by-side.png"}
    with open_video(tmp_path / "demo" / "side-by-side.png") as reader:
        assert (reader.info.width, reader.info.height) == (96 + 8 + 96, 64)
