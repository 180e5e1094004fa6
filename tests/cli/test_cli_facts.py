"""probe, captions, models, verify, doctor: verbs that only tell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from xvc_cli import health

import xvcodec
from tests.cli.conftest import Xvc

KEYS = {
    "format_version", "model", "model_hash", "coder", "width", "height", "frames", "duration", "fps", "video_bytes",
    "audio_tracks", "captions", "gops",
}  # fmt: skip


@pytest.fixture
def stream(vectors_dir: Path, tmp_path: Path) -> Path:
    """A conformance file, to be changed at will."""
    return Path(shutil.copy(vectors_dir / "container_v1.xvc", tmp_path / "v.xvc"))


def test_probe_json(xvc: Xvc, stream: Path) -> None:
    told = json.loads(xvc("probe", stream, "--json").out)
    assert told.keys() >= KEYS
    assert told["gops"][0].keys() >= {"start_pts", "frames", "bytes", "crf"}
    assert told["frames"] == sum(gop["frames"] for gop in told["gops"])


def test_probe_text(xvc: Xvc, stream: Path) -> None:
    result = xvc("probe", "-i", stream)
    assert result.code == 0
    assert "1919x1079" in result.out
    assert "crossmodal" in result.out


def test_probe_of_a_cut_file(xvc: Xvc, stream: Path) -> None:
    stream.write_bytes(stream.read_bytes()[:-40])
    result = xvc("probe", stream)
    assert result.code == 0
    assert "cut off" in result.out


def test_probe_needs_no_torch(stream: Path) -> None:
    """Nor does the help, nor anything else before a model is wanted."""
    program = (
        "import sys; from xvc_cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 10 * ('torch' in sys.modules or 'av' in sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for args in (["probe", str(stream)], ["--help"], ["encode", "--help"]):
        command = [sys.executable, "-c", program, *args]
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=60)
        assert done.returncode == 0, args


def test_captions_out_and_in(xvc: Xvc, stream: Path, tmp_path: Path) -> None:
    several = xvc("captions", stream)
    assert several.code == 2
    assert "--language" in several.err
    assert "a dog runs" in xvc("captions", stream, "--language", "en").out
    target = tmp_path / "de.srt"
    assert xvc("captions", stream, "--language", "de", "-o", target).code == 0
    assert "ein Hund läuft" in target.read_text(encoding="utf-8")
    assert xvc("captions", stream, "--language", "de", "-o", target).code == 1  # it exists now
    assert xvc("captions", stream, "--set", target, "--language", "de", "-o", tmp_path / "new.xvc").code == 0
    assert xvc("captions", tmp_path / "new.xvc").out.count("ein Hund") == 1
    before = stream.read_bytes()
    assert xvc("captions", stream, "--set", target).code == 0  # in place
    assert stream.read_bytes() != before
    assert xvc("captions", stream, "-o", tmp_path / "c.txt").code == 2
    assert not list(tmp_path.glob(".*"))


def test_captions_that_cannot_be_read(xvc: Xvc, stream: Path, tmp_path: Path) -> None:
    before = stream.read_bytes()
    (tmp_path / "c.vtt").write_bytes(b"\xff\xfe\x00")
    result = xvc("captions", stream, "--set", tmp_path / "c.vtt")
    assert result.code == 1
    assert stream.read_bytes() == before


def test_verify(xvc: Xvc, stream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = SimpleNamespace(ok=True, problems=[], gops=3, symbols=1000)
    monkeypatch.setattr(xvcodec, "verify", lambda *_: good)
    assert "ok, 3 GOPs" in xvc("verify", stream).out
    bad = SimpleNamespace(ok=False, problems=["GOP 1: wrong CRC"], gops=3, symbols=600)
    monkeypatch.setattr(xvcodec, "verify", lambda *_: bad)
    result = xvc("verify", stream)
    assert result.code == 1
    assert "GOP 1: wrong CRC" in result.err


def test_models(xvc: Xvc, monkeypatch: pytest.MonkeyPatch) -> None:
    info = xvcodec.ModelInfo("crossmodal", "crossmodal-12345678.safetensors", "12345678" * 8, 7_000_000, 14_000_000,
                             130.0, 58.5, "general coding")  # fmt: skip
    monkeypatch.setattr(xvcodec, "list_models", lambda: [info])
    assert "58.5" in xvc("models").out
    assert json.loads(xvc("models", "--json").out)["models"][0]["decode_kmac"] == 58.5


def test_doctor(xvc: Xvc) -> None:
    result = xvc("doctor", "--json")
    told = json.loads(result.out)
    names = {check["name"] for check in told["checks"]}
    assert names >= {"python", "torch", "av", "constriction", "processor", "CUDA in torch", "onnxruntime", "weights"}
    assert told["ok"] == (result.code == 0)


def test_doctor_says_what_is_broken(xvc: Xvc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_PACKAGES", {"no-such-package": "no_such_module"})
    result = xvc("doctor")
    assert result.code == 1
    assert "pip install no-such-package" in result.out
    assert "no-such-package" in result.err


def test_doctor_survives_a_check_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def burst() -> str:
        raise RuntimeError("no")

    monkeypatch.setattr(health, "_cpuinfo", burst)
    assert any(check.state == "warn" and "RuntimeError" in check.found for check in health.examine())
