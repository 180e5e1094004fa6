"""Every habit of FFmpeg that people bring along ends as the right option of the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Calls, Xvc

pytestmark = pytest.mark.usefixtures("here")

ENCODE = [
    (["-crf", "30"], {"crf": 30.0}),
    (["-crf", "0"], {"crf": 0.0}),
    (["-crf=30.5"], {"crf": 30.5}),
    (["-b:v", "500k"], {"bitrate": 500_000.0, "crf": None}),
    (["-b:v", "1.5M"], {"bitrate": 1_500_000.0}),
    (["--bpp", "0.05"], {"bpp": 0.05}),
    (["--target-size", "2M"], {"target_size": 2_000_000}),
    (["--target-size=1.5MiB"], {"target_size": 1_572_864}),
    (["--target-psnr", "35"], {"target_psnr": 35.0}),
    (["-g", "16", "-preset", "slow"], {"gop": 16, "preset": "slow"}),
    (["-ss", "00:01:02.5", "-t", "10"], {"start": 62.5, "duration": 10.0}),
    (["-to", "1:30"], {"end": 90.0}),
    (["-an"], {"audio": False}),
    ([], {"audio": True, "crf": None, "gop": 32, "coder": "constriction", "metadata": {}, "prompt": None}),
    (["-metadata", "title=A=B", "-metadata", "year=2026"], {"metadata": {"title": "A=B", "year": "2026"}}),
    (["--prompt", "-dash first"], {"prompt": "-dash first"}),
    (["--coder", "torchac", "--backend", "onnx", "--device", "cuda:1"], {"coder": "torchac", "device": "cuda:1"}),
    (["--psnr", "--verify", "-hide_banner"], {"psnr": True, "verify": True}),
    (["--model", "crossmodal-fast", "--text-encoder", "t5"], {"model": "crossmodal-fast", "text_encoder": "t5"}),
]


@pytest.mark.parametrize(("args", "wanted"), ENCODE, ids=[" ".join(args) or "nothing" for args, _ in ENCODE])
def test_encode_options(xvc: Xvc, library: Calls, args: list[str], wanted: dict[str, object]) -> None:
    assert xvc("encode", "-i", "in.mp4", *args, "-o", "out.xvc").code == 0
    assert {name: getattr(library.options, name) for name in wanted} == wanted


def test_captions_file(xvc: Xvc, library: Calls, here: Path) -> None:
    (here / "c.vtt").write_text("WEBVTT\n")
    assert xvc("encode", "in.mp4", "--captions", "c.vtt", "--language", "de", "-y").code == 0
    assert library.options.captions == Path("c.vtt")
    assert library.options.language == "de"


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (["-crf", "12"], {"crf": "12"}),
        (["-c:v", "libx265", "-preset", "slow", "-b:v", "2M"], {"preset": "slow", "b:v": "2M"}),
        (["-x264-params", "keyint=30:ref=4", "-qp", "-1"], {"x264-params": "keyint=30:ref=4", "qp": "-1"}),
        (["-g=12"], {"g": "12"}),
        ([], {}),
    ],
)
def test_decode_passes_codec_options_on(xvc: Xvc, library: Calls, args: list[str], wanted: dict[str, str]) -> None:
    assert xvc("decode", *args, "in.xvc", "-o", "out.mkv").code == 0
    assert library.options.codec_options == wanted
    assert library.options.codec == ("libx265" if "-c:v" in args else None)


def test_decode_options(xvc: Xvc, library: Calls) -> None:
    flags = ["--no-text", "--ignore-errors", "-an", "-ss", "1", "-to", "2"]
    assert xvc("decode", "in.xvc", "-o", "f%03d.png", *flags).code == 0
    options = library.options
    assert (options.text, options.ignore_errors, options.audio) == (False, True, False)
    assert (options.start, options.end) == (1, 2)


@pytest.mark.parametrize(
    ("args", "source", "target"),
    [
        (["in.mp4"], "in.mp4", "in.xvc"),
        (["-i", "in.mp4", "out.xvc"], "in.mp4", "out.xvc"),
        (["in.mp4", "out.xvc"], "in.mp4", "out.xvc"),
        (["-o", "out.xvc", "-y", "in.mp4"], "in.mp4", "out.xvc"),
        (["-o", "out.xvc", "--", "in.mp4"], "in.mp4", "out.xvc"),
    ],
)
def test_places(xvc: Xvc, library: Calls, here: Path, args: list[str], source: str, target: str) -> None:
    (here / "in.xvc").unlink()
    assert xvc("encode", *args).code == 0
    assert library.asked[-1][:2] == (source, target)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["encode", "in.mp4", "-crff", "9"], "-crff"),
        (["encode", "in.mp4", "-gop", "9"], "-gop"),
        (["encode", "in.mp4", "-nope"], "-nope"),
        (["encode", "in.mp4", "-tp", "9"], "-tp"),
        (["encode", "in.mp4", "-crf"], "-crf"),
        (["encode", "in.mp4", "-crf", "64"], "0<=x<=63"),
        (["encode", "in.mp4", "-crf", "nan"], "nan"),
        (["encode", "in.mp4", "-crf", "3", "-b:v", "5k"], "-crf and -b:v"),
        (["encode", "in.mp4", "--bpp", "1", "--target-size", "5k"], "--bpp and --target-size"),
        (["encode", "in.mp4", "--bpp", "0"], "--bpp"),
        (["encode", "in.mp4", "-t", "1", "-to", "2"], "-t and -to"),
        (["encode", "in.mp4", "-y", "-n"], "-y and -n"),
        (["encode", "in.mp4", "-metadata", "title"], "key=value"),
        (["encode", "in.mp4", "-ss", "-3"], "-ss"),
        (["encode", "in.mp4", "a.xvc", "b.xvc"], "b.xvc"),
        (["encode", "in.mp4", "-o", "out.mp4"], ".xvc"),
        (["encode", "in.mp4", "--captions", "nosuch.vtt"], "nosuch.vtt"),
        (["encode", "in.mp4", "-o", "-", "--json"], "--json"),
        (["encode", "in.mp4", "-o", "-", "-progress", "pipe:1"], "-progress"),
        (["encode", "in.mp4", "-progress", "tcp://host:1"], "-progress"),
        (["encode", "-i", "-"], "-o"),
        (["encode"], "-i"),
        (["decode", "in.xvc", "--nope", "1"], "--nope"),
        (["decode", "in.xvc", "-foo"], "-foo"),
        (["decode", "in.xvc", "--prompt", "x", "--no-text"], "--prompt and --no-text"),
        (["decode", "in.xvc", "-o", "x.avi"], ".mkv"),
        (["probe"], "input"),
        (["frob"], "frob"),
    ],
)
def test_wrong_command_lines(xvc: Xvc, library: Calls, args: list[str], says: str) -> None:
    result = xvc(*args)
    assert result.code == 2
    assert says in result.err
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert not library.asked


def test_help_and_version(xvc: Xvc) -> None:
    assert "encode" in xvc("--help").out
    assert "-b:v" in xvc("encode", "-h").out
    assert xvc("-version").out.startswith("xvc ")
    assert xvc().code == 2
