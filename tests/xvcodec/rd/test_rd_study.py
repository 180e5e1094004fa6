"""Studies from beginning to end, on small clips: nothing is done twice, nothing is lost, nothing is half done."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from small_clips import still, video

from xvcodec import rd
from xvcodec.codec.measure import psnr_rgb
from xvcodec.errors import OutputError, UsageError, XvcError
from xvcodec.media import open_video
from xvcodec.rd.codec_ffmpeg import FfmpegCodec
from xvcodec.rd.codecs import Conditions
from xvcodec.rd.store import Store

X264, X265 = "libx264:preset=ultrafast", "libx265:preset=ultrafast"
CRF = (20.0, 26.0, 32.0, 38.0)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two clips of 8 frames."""
    folder = tmp_path / "clips"
    folder.mkdir()
    video(folder / "one.mkv", seed=1), video(folder / "two.mkv", seed=5)
    return folder


@pytest.fixture
def encodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What FFmpeg's encoders were asked to encode."""
    asked: list[str] = []
    encode = FfmpegCodec.encode

    def counted(self: FfmpegCodec, clip: Any, setting: float, *rest: Any) -> None:
        asked.append(f"{self.name} {setting:g} {clip.name}")
        encode(self, clip, setting, *rest)

    monkeypatch.setattr(FfmpegCodec, "encode", counted)
    return asked


def test_figures_are_those_of_the_files(clips: Path, tmp_path: Path) -> None:
    results = rd.run([clips], [X264, X265], ["psnr", "tpsnr"], tmp_path / "report", crf=CRF)
    data = json.loads((tmp_path / "report" / "results.json").read_text())
    assert data == results.data
    assert data["schema"] == "xvc-rd/1"
    assert [clip["name"] for clip in data["clips"]] == ["one", "two"]
    assert len(data["points"]) == 16
    point = data["points"][1]
    stream = tmp_path / "report" / point["stream"]
    assert (point["crf"], point["bytes"]) == (26.0, stream.stat().st_size)
    assert point["bpp"] == pytest.approx(8 * point["bytes"] / (96 * 64 * 8))
    assert point["kbps"] == pytest.approx(8 * point["bytes"] / (8 / 25) / 1000)
    with open_video(clips / "one.mkv") as source, open_video(stream) as decoded:
        values = [psnr_rgb(a, b, source.info) for a, b in zip(source.frames(), decoded.frames(), strict=True)]
    assert point["frames"]["psnr"] == pytest.approx(values, rel=1e-5)
    assert point["metrics"]["psnr"] == pytest.approx(sum(values) / 8)
    assert point["frames"]["tpsnr"][0] is None
    assert len(point["frames"]["tpsnr"]) == 8
    assert point["encode_s"] > 0 < point["decode_s"]
    assert [row["reference"] for row in data["bd"]] == [X265, X265]
    assert set(data["bd"][0]["clips"]) == {"one", "two"}


def test_arrays_and_files_are_read_back(clips: Path, tmp_path: Path) -> None:
    made = rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=CRF)
    results = rd.Results.load(tmp_path / "report")
    bpp, psnr = results.curve(X264, "one", "psnr")
    assert bpp.shape == psnr.shape == (4,)
    assert (bpp[1:] > bpp[:-1]).all()
    assert (psnr[1:] > psnr[:-1]).all()
    assert results.data == made.data
    assert results.csv() == (tmp_path / "report" / "results.csv").read_text()
    assert results.csv().splitlines()[0] == "clip,codec,crf,bytes,bpp,kbps,encode_s,decode_s,threads,psnr"


def test_a_finished_point_is_never_run_twice(clips: Path, tmp_path: Path, encodes: list[str]) -> None:
    first = rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=CRF)
    assert len(encodes) == 8
    again = rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=CRF)
    assert len(encodes) == 8
    assert again.data["points"] == first.data["points"]
    more = rd.run([clips], [X264], ["psnr", "ssim"], tmp_path / "report", crf=CRF)
    assert len(encodes) == 8, "another metric needs no encode"
    assert all(point["metrics"].keys() == {"psnr", "ssim"} for point in more.data["points"])
    assert [point["encode_s"] for point in more.data["points"]] == [point["encode_s"] for point in first.data["points"]]
    rd.run([clips], [X264, X265], ["psnr"], tmp_path / "report", crf=(20.0, 23.0))
    assert len(encodes) == 8 + 2 + 4
    for other in ({"gop": 4}, {"frames": 5}, {"threads": 2}):
        before = len(encodes)
        rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=[20], **other)  # type: ignore[arg-type]
        assert len(encodes) == before + 2, f"{other} makes another point"


def test_what_was_spoilt_is_made_again(clips: Path, tmp_path: Path, encodes: list[str]) -> None:
    report = tmp_path / "report"
    first = rd.run([clips], [X264], ["psnr"], report, crf=[20, 30])
    points, streams = sorted((report / "points").iterdir()), sorted((report / "streams").iterdir())
    points[0].write_text("{}")
    streams[1].write_bytes(b"cut")
    for part in ("streams", ".", "frames"):
        (report / part).mkdir(exist_ok=True)
        (report / part / ".rest.mkv.1a2b.part").write_bytes(b"of a killed run")
    again = rd.run([clips], [X264], ["psnr"], report, crf=[20, 30])
    assert len(encodes) == 4 + 2
    assert [point["bytes"] for point in again.data["points"]] == [point["bytes"] for point in first.data["points"]]
    assert {path.name for path in report.rglob(".*")} <= {".lock"}
    video(clips / "one.mkv", seed=9)
    rd.run([clips], [X264], ["psnr"], report, crf=[20, 30])
    assert len(encodes) == 6 + 2, "another file under the same name is another clip"


def test_figures_stay_when_streams_go(clips: Path, tmp_path: Path, encodes: list[str]) -> None:
    first = rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=[20])
    for stream in (tmp_path / "report" / "streams").iterdir():
        stream.unlink()
    again = rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=[20])
    assert len(encodes) == 2
    assert [point["metrics"] for point in again.data["points"]] == [point["metrics"] for point in first.data["points"]]
    assert {point["stream"] for point in again.data["points"]} == {None}
    rd.run([clips], [X264], ["psnr", "ssim"], tmp_path / "report", crf=[20])
    assert len(encodes) == 4, "another metric needs the stream"


def test_an_interrupted_study_goes_on(clips: Path, tmp_path: Path, encodes: list[str]) -> None:
    def stop(progress: rd.Progress) -> None:
        if progress.record and progress.done == 5:
            raise KeyboardInterrupt

    whole = rd.run([clips], [X264, X265], ["psnr"], tmp_path / "whole", quality=(28, 34))
    count = len(encodes)
    with pytest.raises(KeyboardInterrupt):
        rd.run([clips], [X264, X265], ["psnr"], tmp_path / "report", quality=(28, 34), progress=stop)
    assert len(encodes) == count + 5
    assert not (tmp_path / "report" / "results.json").exists()
    again = rd.run([clips], [X264, X265], ["psnr"], tmp_path / "report", quality=(28, 34))
    assert len(encodes) == 2 * count
    for key in ("crf", "bytes", "metrics", "clip", "codec"):
        assert [point[key] for point in again.data["points"]] == [point[key] for point in whole.data["points"]]


def test_ladders_cover_the_range(clips: Path, tmp_path: Path) -> None:
    told: list[rd.Progress] = []
    results = rd.run([clips], [X264, "libsvtav1:preset=12"], ["ssim"], tmp_path / "report", quality=(29, 35),
                     progress=told.append)
    assert results.metrics == ["ssim"], "psnr drives the search, but was not asked for"
    psnr = {(p.task.codec.name, p.task.setting, p.task.clip.name): p.record.values["psnr"].measured
            for p in told if p.record}
    for codec in results.codecs:
        settings = {point["crf"] for point in results.points(codec, "one")}
        means = sorted(sum(found.clip for clip in ("one", "two") if (found := psnr[codec, setting, clip])) / 2
                       for setting in settings)
        assert len(means) >= 4
        assert abs(means[0] - 29) < 0.8
        assert abs(means[-1] - 35) < 0.8
    assert told[-1].done == told[-1].total
    assert told[-1].eta == pytest.approx(0)
    assert all(later.elapsed >= earlier.elapsed for earlier, later in itertools.pairwise(told))


def test_xvc_with_captions(clips: Path, tmp_path: Path) -> None:
    (clips / "index.jsonl").write_text('{"file": "one.mkv", "caption": "a disc over waves"}\n')
    codecs = ["crossmodal-fast", "crossmodal-fast:text=none"]
    results = rd.run([clips], codecs, ["psnr"], tmp_path / "report", crf=[40, 56], frames=5)
    first, second = (results.points(codec, "one") for codec in codecs)
    assert first[0]["bytes"] > second[0]["bytes"], "the caption is in the file"
    assert {clip["frames"] for clip in results.data["clips"]} == {5}
    import xvcodec

    assert xvcodec.probe(tmp_path / "report" / first[0]["stream"])["captions"][0]["text"] == "a disc over waves"
    assert not list((tmp_path / "report" / "streams").glob(".*"))


def test_pictures(tmp_path: Path) -> None:
    still(tmp_path / "a.png", (160, 96))
    codecs = ["libwebp:crf=20,50,80", "libx265:crf=20,30"]
    results = rd.run([tmp_path / "a.png"], codecs, ["psnr", "tpsnr"], tmp_path / "report")
    assert results.data["clips"][0]["kind"] == "image"
    assert len(results.data["points"]) == 5
    assert [(row["name"], row["clip"]) for row in results.data["missing"]] == [("tpsnr", "a")]
    assert "2 frames" in results.data["missing"][0]["reason"]
    _, psnr = results.curve("libwebp", "a", "psnr")
    assert (psnr[1:] > psnr[:-1]).all()


def test_a_metric_that_cannot_run_is_named(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XVC_SQUEEZENET", raising=False)
    results = rd.run([clips], [X264], ["psnr", "squeezenet"], tmp_path / "report", crf=[30])
    assert [row["name"] for row in results.data["missing"]] == ["squeezenet"]
    assert results.metrics == ["psnr"]


@pytest.mark.slow
def test_jobs_give_the_same_without_times(clips: Path, tmp_path: Path) -> None:
    alone = rd.run([clips], [X264], ["psnr"], tmp_path / "alone", crf=CRF)
    beside = rd.run([clips], [X264], ["psnr"], tmp_path / "beside", crf=CRF, jobs=2)
    for key in ("crf", "bytes", "metrics", "clip", "codec"):
        assert [point[key] for point in alone.data["points"]] == [point[key] for point in beside.data["points"]]
    assert {point["encode_s"] for point in beside.data["points"]} == {None}
    assert (alone.data["conditions"]["timed"], beside.data["conditions"]["timed"]) == (True, False)


@pytest.mark.parametrize(("more", "why"), [
    ({"crf": [70]}, "0 to 51"), ({"points": 1}, "--points"), ({"gop": 0}, "-g"), ({"quality": (36, 30)}, "--range"),
    ({"method": "spline"}, "akima"), ({"reference": "x266"}, "--reference"), ({"metrics": ["beauty"]}, "no metric"),
    ({"codecs": ["libx264", "libx264"]}, "twice"), ({"jobs": 0}, "--jobs"), ({"frames": 0}, "--frames"),
])
def test_wrong_arguments_are_found_before_anything_is_made(clips: Path, tmp_path: Path, more: dict[str, Any],
                                                            why: str) -> None:
    given = {"codecs": [X264], "metrics": ["psnr"]} | more
    with pytest.raises(UsageError, match=why):
        rd.run([clips], output=tmp_path / "report", **given)
    assert not (tmp_path / "report").exists()


def test_one_study_at_a_time(clips: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "report", Conditions()).locked(), pytest.raises(OutputError, match="Another study"):
        rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=[30])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be kept"):
        rd.run([clips], [X264], ["psnr"], tmp_path / "file", crf=[30])


def test_a_full_disk_is_one_sentence_and_no_half_file(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(XvcError, match=r"libx264.* on 'one': .*[nN]o space left on device"):
        rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=[30])
    assert not list((tmp_path / "report" / "points").iterdir())
    monkeypatch.undo()
    assert len(rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=[30]).data["points"]) == 2


def test_a_codec_that_breaks_the_interval_cannot_take_part(clips: Path, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FfmpegCodec._settings
    monkeypatch.setattr(FfmpegCodec, "_settings", lambda self, setting, conditions: settings(
        self, setting, conditions) | {"g": "100"})
    with pytest.raises(XvcError, match=r"'one'.*-g is 4"):
        rd.run([clips], [X264], ["psnr"], tmp_path / "report", crf=[30], gop=4)
