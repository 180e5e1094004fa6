"""The library as people import it: the verbs, the open file, and that nothing is printed or loaded needlessly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from xvc_bitstream import OPEN_END, BitstreamError, Caption

import xvcodec
from xvcodec import DecodeOptions, EncodeOptions, Progress
from xvcodec.errors import ModelError, UsageError
from xvcodec.media import open_video, synthesise

QUICK = DecodeOptions(backend="torch", device="cpu")
FACTS = {"format_version", "model", "model_hash", "coder", "width", "height", "frames", "duration", "fps", "video_bytes",
         "audio_tracks", "captions", "gops"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration clip of 10 frames with sound, 96x64."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("api") / "in.mp4"
    synthesise(path, 1 / 3, (96, 64))
    return path


@pytest.fixture(scope="module")
def file(source: Path) -> Path:
    """The clip as .xvc."""
    path = source.with_name("out.xvc")
    xvcodec.encode(source, path, EncodeOptions(model="crossmodal-fast", gop=4, prompt="a disc that drifts",
                                               metadata={"title": "Demo"}))
    return path


def test_there_and_back_says_nothing(source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Progress] = []
    options = EncodeOptions(preset="fast", gop=8, psnr=True, verify=True)
    result = xvcodec.encode(source, tmp_path / "a.xvc", options, seen.append)
    done = xvcodec.decode(tmp_path / "a.xvc", tmp_path / "a.mp4", progress=seen.append)
    assert capfd.readouterr() == ("", "")
    assert result.frames == done.frames == 10 and result.psnr is not None and result.psnr > 15
    assert result.runtime and done.runtime and not done.damage
    assert [p.stage for p in seen] == ["encode"] * 2 + ["decode"] * 10
    assert [p.frame for p in seen] == [8, 10, *range(1, 11)] and seen[1].bytes > seen[0].bytes > 0
    with open_video(tmp_path / "a.mp4") as reader:
        assert len(list(reader.frames())) == 10 and [t.codec for t in reader.tracks] == ["aac"]


def test_probe_is_json_and_complete(file: Path, source: Path) -> None:
    facts = xvcodec.probe(file)
    assert set(facts) >= FACTS and json.loads(json.dumps(facts)) == facts
    assert (facts["width"], facts["height"], facts["frames"], facts["coder"]) == (96, 64, 10, "constriction")
    assert facts["model"] == "crossmodal-fast" and facts["model_hash"] == xvcodec.list_models()[1].hash
    assert facts["fps"] == pytest.approx(30) and facts["duration"] == pytest.approx(1 / 3, abs=1e-3)
    assert facts["tags"]["title"] == "Demo" and facts["file_bytes"] == file.stat().st_size > facts["video_bytes"]
    assert [set(gop) for gop in facts["gops"]] == [{"start_pts", "frames", "bytes", "crf"}] * 3
    assert sum(gop["frames"] for gop in facts["gops"]) == 10 and facts["gops"][0]["crf"] == 32.0


def test_probe_and_captions_need_no_torch(file: Path, tmp_path: Path) -> None:
    code = ("import sys, xvcodec; xvcodec.probe(sys.argv[1]); xvcodec.open(sys.argv[1]).captions; "
            "xvcodec.set_captions(sys.argv[1], [], sys.argv[2]); sys.exit('torch' in sys.modules)")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(file), str(tmp_path / "a.xvc")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_open_file(file: Path) -> None:
    with xvcodec.open(file, QUICK) as video:
        assert video.captions == [Caption(0, OPEN_END, "a disc that drifts", "en")]
        assert video.probe() == xvcodec.probe(file)
        frames, pictures, latents = list(video.frames()), list(video.rgb()), list(video.latents())
    assert len(frames) == len(pictures) == 10 and len(latents) == 3
    assert frames[0].y.shape == (64, 96) and frames[0].u.shape == (32, 48) and frames[0].y.dtype == np.uint8
    assert pictures[0].shape == (64, 96, 3) and pictures[0].dtype == np.uint8
    assert set(latents[0]) == {"key.y", "key.cuts", "anchor.y", "between.y", "fields", "qualities"}
    assert latents[0]["key.y"].shape[2:] == (4, 6) and latents[0]["fields"].shape == (1, 4, 3, 8, 12)
    assert all(array.dtype == np.int32 for array in latents[0].values())


def test_captions_are_replaced_in_place(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.xvc"
    copy.write_bytes(file.read_bytes())
    cues = [Caption(0, 100_000, "eins", "de"), Caption(0, 100_000, "one", "en")]
    xvcodec.set_captions(copy, cues, copy)
    with xvcodec.open(copy, QUICK) as video, xvcodec.open(file, QUICK) as before:
        assert video.captions == cues and video.probe()["gops"][0]["bytes"] == before.probe()["gops"][0]["bytes"]
        assert all(np.array_equal(a["key.y"], b["key.y"]) for a, b in zip(video.latents(), before.latents(), strict=True))
    assert xvcodec.verify(copy).ok and [path.name for path in tmp_path.iterdir()] == ["copy.xvc"]


def test_verify_counts_what_it_read(file: Path) -> None:
    result = xvcodec.verify(file)
    with xvcodec.open(file, QUICK) as video:
        integers = sum(array.size for gop in video.latents() for array in gop.values())
    assert result.ok and (result.gops, result.symbols, result.problems) == (3, integers, [])


def test_models_say_what_they_cost() -> None:
    main, fast, latent, *others = xvcodec.list_models()
    assert (main.name, fast.name, latent.name) == ("crossmodal", "crossmodal-fast", "crossmodal-latent")
    assert all(model.bytes <= 6_000_000 for model in others)
    assert latent.bytes <= 4_000_000 and max(latent.encode_kmac, latent.decode_kmac) <= 60
    for model in (main, fast, latent, *others):
        assert model.file.startswith(f"{model.name}-{model.hash[:8]}") and model.bytes < 15 << 20 and model.description
    assert fast.decode_kmac < main.decode_kmac < main.encode_kmac and fast.parameters < main.parameters


def test_other_weights_are_refused(file: Path, tmp_path: Path) -> None:
    raw = bytearray(file.read_bytes())
    place = raw.index(bytes.fromhex(xvcodec.probe(file)["model_hash"]))
    with pytest.raises(BitstreamError):  # the header's checksum notices
        raw[place] ^= 1
        (tmp_path / "a.xvc").write_bytes(raw)
        xvcodec.decode(tmp_path / "a.xvc", tmp_path / "a.mp4", QUICK)
    other = next(str(path) for path in (Path(xvcodec.__file__).parent / "weights").glob("crossmodal-*.safetensors")
                 if "fast" not in path.name)
    with pytest.raises(ModelError, match="other weights"):
        xvcodec.decode(file, tmp_path / "a.mp4", DecodeOptions(model=other))
    assert [path.name for path in tmp_path.iterdir()] == ["a.xvc"]


def test_contradictions_name_both_flags() -> None:
    with pytest.raises(UsageError, match=r"-crf and --bpp exclude each other"):
        EncodeOptions(crf=3.0, bpp=0.1)
    with pytest.raises(UsageError, match=r"-crf is 64, but goes from 0"):
        EncodeOptions(crf=64.0)
    with pytest.raises(UsageError, match=r"--prompt and --captions"):
        EncodeOptions(prompt="a", captions=Path("a.vtt"))
