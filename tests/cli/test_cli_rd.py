"""`xvc rd`: what it asks the library for, what it says, and that a killed study goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Xvc
from xvcodec import rd
from xvcodec.errors import XvcError
from xvcodec.media import VideoInfo, from_rgb, open_writer
from xvcodec.media.synth import picture

X264, X265 = "libx264:preset=ultrafast", "libx265:preset=ultrafast"
BOTH = ["--codec", X264, "--codec", X265, "--crf", "20,26,32,38"]


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip of six frames in the working folder."""
    monkeypatch.chdir(tmp_path)
    info = VideoInfo(96, 64, time_base=Fraction(1, 1000))
    with open_writer(tmp_path / "in.mkv", info, codec="ffv1") as writer:
        for number in range(6):
            writer.write(from_rgb(picture(number, 6, (96, 64)), info, 40 * number, 40))
    return Path("in.mkv")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[rd.Options]:
    """What the library was asked; nothing is run."""
    options: list[rd.Options] = []

    def run(given: rd.Options, progress: Any = None) -> None:
        options.append(given)
        raise XvcError("asked")

    monkeypatch.setattr(rd, "run_options", run)
    return options


def test_flags_become_options(xvc: Xvc, asked: list[rd.Options]) -> None:
    xvc("rd", "a", "b", "--codec", "crossmodal", "--codec", X265, "--metric", "psnr, msssim", "-o", "r", "--crf", "30,20",
        "--points", 5, "--range", "28,40", "--frames", 32, "-g", 16, "--threads", 2, "--no-captions", "--add", "x.csv",
        "--reference", X265, "--method", "pchip", "--squeezenet", "w.npz")
    assert asked == [rd.Options(
        (Path("a"), Path("b")), ("crossmodal", X265), Path("r"), ("psnr", "msssim"), crf=(20.0, 30.0), points=5,
        quality=(28.0, 40.0), frames=32, gop=16, threads=2, captions=False, add=(Path("x.csv"),), reference=X265,
        method="pchip", squeezenet=Path("w.npz"))]
    again = asked[0].command.split()[2:]
    xvc("rd", *again)
    assert asked[1] == asked[0], "the command in results.json asks for the same"


def test_what_was_not_given_is_usual(xvc: Xvc, asked: list[rd.Options]) -> None:
    xvc("rd", "a", "--codec", "crossmodal", "-o", "r")
    assert asked == [rd.Options((Path("a"),), ("crossmodal",), Path("r"))]
    assert asked[0].command == "xvc rd a --codec crossmodal --metric psnr -o r"


@pytest.mark.parametrize(("arguments", "why"), [
    (["a", "--codec", X264], "-o"), (["a", "-o", "r"], "--codec"), (["-o", "r", "--codec", X264], "no clips"),
    (["a", "-o", "r", "--codec", X264, "--range", "30"], "--range"),
    (["a", "-o", "r", "--codec", X264, "--crf", "x"], "22,27"),
    (["a", "-o", "r", "--codec", "gone"], "no video encoder"), (["--compare", "a", "b", "--codec", X264], "--codec"),
    (["a", "-o", "r", "--plot-only"], "--plot-only"), (["-o", "r", "--plot-only", "--threads", "2"], "--threads"),
    (["a", "-o", "r", "--codec", X264, "--metric", "beauty"], "no metric"), (["--compare", "a"], "--compare"),
    (["a", "-o", "r", "--codec", X264, "--crf", "99", "--bits"], "--bits"),
])
def test_wrong_command_lines(xvc: Xvc, clip: Path, arguments: list[str], why: str) -> None:
    result = xvc("rd", *arguments)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert why in result.err
    assert not Path("r").exists()


def test_a_whole_study(xvc: Xvc, clip: Path) -> None:
    result = xvc("rd", clip, *BOTH, "-o", "r", "--metric", "psnr,tpsnr,squeezenet")
    assert result.code == 0, result.err
    assert "BD-rate against libx265:preset=ultrafast (akima" in result.out
    assert "squeezenet was not measured" in result.err
    assert result.err.count(" bpp ") == 8
    made = {path.name for path in Path("r").iterdir()}
    assert {"results.json", "results.csv", "index.html", "rd_psnr.png", "rd_tpsnr.svg", "streams", "points"} <= made
    data = json.loads(Path("r/results.json").read_text())
    assert data["command"].startswith("xvc rd in.mkv --codec libx264")
    assert Path("r", data["clips"][0]["path"]).resolve() == clip.resolve()
    again = xvc("rd", clip, *BOTH, "-o", "r", "--metric", "psnr,tpsnr,squeezenet", "--json")
    assert " bpp " not in again.err, "nothing was made"
    assert json.loads(again.out)["points"] == data["points"]


def test_plots_again_with_other_results(xvc: Xvc, clip: Path) -> None:
    assert xvc("rd", clip, *BOTH, "-o", "r").code == 0
    Path("r/index.html").unlink()
    rows = ["clip,codec,bpp,psnr", *(f"in,other,{bpp},{psnr}" for bpp, psnr in ((0.2, 27), (0.5, 31), (1.0, 35), (2.0, 39)))]
    Path("other.csv").write_text("\n".join(rows))
    result = xvc("rd", "-o", "r", "--plot-only", "--add", "other.csv", "--reference", X264, "--method", "pchip")
    assert result.code == 0, result.err
    assert f"BD-rate against {X264} (pchip" in result.out
    assert "other" in result.out
    assert "of 1 clips" not in result.out
    assert b"other" in Path("r/index.html").read_bytes()
    assert xvc("rd", "-o", "nowhere", "--plot-only").code == 1


def test_comparing_two_reports(xvc: Xvc, clip: Path) -> None:
    for folder, preset in (("old", "ultrafast"), ("new", "fast")):
        assert xvc("rd", clip, "--codec", f"libx264:preset={preset}", "--crf", "20,26,32,38", "-o", folder).code == 0
        text = Path(folder, "results.json").read_text().replace(f"libx264:preset={preset}", "libx264")
        Path(folder, "results.json").write_text(text)
    assert xvc("rd", "--compare", "old", "new").out.startswith("better")
    told = json.loads(xvc("rd", "--compare", "old", "new", "--json").out)
    assert told["changes"][0]["verdict"] == "better"
    assert told["changes"][0]["rate"]["mean"] < 0
    assert xvc("rd", "--compare", "old", "gone").code == 1


def test_why_there_is_no_figure(xvc: Xvc, clip: Path) -> None:
    Path("two.mkv").write_bytes(clip.read_bytes())
    result = xvc("rd", clip, "two.mkv", "--codec", X264, "--codec", f"{X265}:crf=30", "--crf", "20,26,32,38", "-o", "r",
                 "--metric", "psnr,msssim")
    assert result.code == 0, result.err
    assert f"{X264}, psnr: no mean, because the reference has 1 point, but a curve needs 4." in result.out
    assert result.err.count("msssim was not measured on 'in', 'two': ") == 1


def test_a_page_that_cannot_be_written(xvc: Xvc, clip: Path) -> None:
    assert xvc("rd", clip, "--codec", X264, "--crf", "20,30", "-o", "r").code == 0
    Path("r/index.html").unlink()
    Path("r/index.html").mkdir()
    result = xvc("rd", "-o", "r", "--plot-only")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "The page of 'r' cannot be written" in result.err


def test_a_broken_clip_is_one_sentence(xvc: Xvc, clip: Path) -> None:
    Path("bad.mp4").write_bytes(b"no video" * 99)
    result = xvc("rd", clip, "bad.mp4", *BOTH, "-o", "r")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "bad.mp4" in result.err
    assert not Path("r").exists()


def _killed(clip: Path, number: signal.Signals) -> tuple[int, bytes]:
    """Send a signal to a study that has some of its points: its exit code, and what it wrote to stderr."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-m", "xvc_cli", "rd", str(clip), *BOTH, "-o", "r"], env=environment,
                             stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    points, deadline = Path("r/points"), time.monotonic() + 120
    try:
        while not (points.is_dir() and any(path.suffix == ".json" for path in points.iterdir())):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(number)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()  # a test that failed leaves nothing behind
    return child.returncode, errors


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_killed_study_goes_on(xvc: Xvc, clip: Path, number: signal.Signals, code: int) -> None:
    for _ in range(5):
        returned, errors = _killed(clip, number)
        if returned != 0:  # else this process was so slow that the study was done before the signal came
            break
        shutil.rmtree("r")
    assert returned == code
    assert b"Traceback" not in errors
    points = Path("r/points")
    there = {path.name: path.stat().st_mtime_ns for path in points.iterdir() if path.suffix == ".json"}
    result = xvc("rd", clip, *BOTH, "-o", "r")
    assert result.code == 0, result.err
    assert result.err.count(" bpp ") == 8 - len(there)
    assert all((points / name).stat().st_mtime_ns == changed for name, changed in there.items())
    assert not [path for part in ("points", "streams") for path in Path("r", part).iterdir() if path.name.startswith(".")]


def test_the_table_says_how_many_clips_and_how_little_overlap() -> None:
    from xvc_cli.study import told

    def row(codec: str, rate: float | None, overlap: float, mean: bool = True) -> dict[str, Any]:
        clips = {"a": {"rate": rate, "overlap": overlap, "why": None if rate else "the codec has 1 point"}}
        summary = {"mean": rate, "low": None, "high": None, "clips": 1} if mean else None
        return {"metric": "psnr", "reference": "x", "codec": codec, "method": "akima", "clips": clips, "rate": summary}

    names = ["x", "whole", "part", "none"]
    results = rd.Results({
        "clips": [{"name": "a"}, {"name": "b"}], "codecs": [{"name": name, "kind": "ffmpeg"} for name in names],
        "metrics": [{"name": "psnr"}], "points": [],
        "bd": [row("whole", -3.0, 0.9), row("part", 5.0, 0.4), row("none", None, 0.1, mean=False)]})
    lines = told(results).splitlines()
    assert lines[2].split(maxsplit=1) == ["whole", "-3.0 % (1 of 2 clips)"]
    assert lines[3].split(maxsplit=1) == ["part", "+5.0 % (1 of 2 clips, overlap 40 %)"]
    assert lines[4:] == ["none   -", "none, psnr: no mean, because the codec has 1 point."]
