"""VMAF: the pipe to ffmpeg with a stand-in that looks at what comes, and with a real one where there is one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from metric_clips import Pairs, clip, info

from xvcodec.media.types import VideoInfo
from xvcodec.metrics import Unmeasurable, measure, resolve
from xvcodec.metrics.base import Absent
from xvcodec.metrics.vmaf import Vmaf, find_ffmpeg

STAND_IN = """#!{python}
import json, sys
import numpy as np
if "-filters" in sys.argv:
    print(" .. libvmaf           VV->V      Calculate the VMAF between two video streams.")
    sys.exit()
width, height = map(int, sys.argv[sys.argv.index("-s") + 1].split("x"))
deep = sys.argv[sys.argv.index("-pix_fmt") + 1] == "yuv420p10le"
samples = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
data = np.frombuffer(sys.stdin.buffer.read(), np.uint16 if deep else np.uint8).reshape(-1, 2, samples).astype(float)
frames = [{{"metrics": {{"vmaf": float(np.abs(a - b).mean())}}}} for a, b in data]
{then}
json.dump({{"frames": frames}}, open("vmaf.json", "w"))
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, then: str = "") -> None:
    """Put a program named ffmpeg on the PATH that reports the mean absolute difference of each pair as its VMAF."""
    program = folder / "ffmpeg"
    program.write_text(STAND_IN.format(python=sys.executable, then=then))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    find_ffmpeg.cache_clear()


@pytest.fixture(autouse=True)
def _forget() -> None:
    find_ffmpeg.cache_clear()


@pytest.mark.parametrize("depth", [8, 10])
def test_every_pair_arrives_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int) -> None:
    stand_in(tmp_path, monkeypatch)
    about = info(71, 53, depth)
    pairs = clip(about, 5)
    metrics, missing = resolve(["vmaf"])
    assert not missing
    found = measure(metrics, about, pairs)[0]["vmaf"]
    wanted = [np.concatenate([np.abs(x.astype(float) - y).ravel() for x, y in zip(a.planes, b.planes, strict=True)]).mean()
              for a, b in pairs]
    assert found.frames == pytest.approx(wanted) and found.clip == pytest.approx(np.mean(wanted))


@pytest.mark.parametrize(("then", "said"), [
    ("sys.exit('libvmaf: could not load the model')", "could not load the model"), ("frames.pop()", "ffmpeg stopped"),
    ("frames[0] = 3", "ffmpeg stopped")])
def test_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str, said: str) -> None:
    stand_in(tmp_path, monkeypatch, then)
    about = info(64, 48)
    measured, stopped = measure(resolve(["vmaf"])[0], about, clip(about))
    assert not measured and said in stopped[0].reason


def test_a_program_that_dies_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    metric = Vmaf()
    (tmp_path / "ffmpeg").write_text(f"#!{sys.executable}\nimport sys; sys.exit('no such filter: libvmaf')\n")
    about = info(640, 480)
    meter = metric.start(about)
    with pytest.raises(Unmeasurable, match="no such filter"):
        for source, decoded in clip(about, 2) * 20:
            meter.add(source, decoded)
        meter.finish()
    (tmp_path / "ffmpeg").unlink()
    with pytest.raises(Unmeasurable, match="does not start"):
        metric.start(about)


def test_without_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    metrics, missing = resolve(["vmaf"])
    assert not metrics and "pip install imageio-ffmpeg" in missing[0].reason


@pytest.fixture
def ffmpeg() -> str:
    """A real ffmpeg with libvmaf."""
    try:
        return find_ffmpeg()
    except Absent as absent:
        pytest.skip(str(absent))


def _by_files(program: str, filter: str, about: VideoInfo, pairs: Pairs, folder: Path) -> str:
    """What ffmpeg says about two raw files, decoded first."""
    inputs = []
    for name, side in (("decoded", 1), ("source", 0)):
        (folder / name).write_bytes(b"".join(plane.tobytes() for pair in pairs for plane in pair[side].planes))
        inputs += ["-f", "rawvideo", "-pix_fmt", "yuv420p10le" if about.bit_depth == 10 else "yuv420p", "-s",
                   f"{about.width}x{about.height}", "-r", str(about.frame_rate), "-i", name]
    return subprocess.run([program, "-hide_banner", *inputs, "-lavfi", filter, "-f", "null", "-"], cwd=folder, check=True,
                          capture_output=True, text=True).stderr


@pytest.mark.parametrize("depth", [8, 10])
def test_vmaf_against_ffmpeg_on_files(ffmpeg: str, tmp_path: Path, depth: int) -> None:
    about = info(256, 144, depth)
    pairs = clip(about, 5)
    _by_files(ffmpeg, "libvmaf=log_fmt=json:log_path=out.json", about, pairs, tmp_path)
    log = json.loads((tmp_path / "out.json").read_text())
    found = measure(resolve(["vmaf"])[0], about, pairs)[0]["vmaf"]
    assert found.frames == pytest.approx([frame["metrics"]["vmaf"] for frame in log["frames"]], abs=1e-4)
    assert found.clip == pytest.approx(log["pooled_metrics"]["vmaf"]["mean"], abs=1e-4)
    assert measure(resolve(["vmaf"])[0], about, [(a, a) for a, _ in pairs])[0]["vmaf"].clip > found.clip


@pytest.mark.parametrize(("name", "order", "label"), [("ssim", "", "All:"), ("xpsnr", "[1:v][0:v]", "minimum: ")])
def test_what_people_get_from_the_command_line(ffmpeg: str, tmp_path: Path, name: str, order: str, label: str) -> None:
    about = info(320, 192)
    pairs = clip(about, 5)
    said = _by_files(ffmpeg, order + name, about, pairs, tmp_path)
    theirs = float(said.split(label)[-1].split()[0].rstrip(")"))
    assert measure(resolve([name])[0], about, pairs)[0][name].clip == pytest.approx(theirs, abs=1e-4)
