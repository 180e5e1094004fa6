"""Inputs that are none, outputs that must not be, and who may overwrite what."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from xvc_cli import places

from tests.cli.conftest import Calls, Xvc


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person at the terminal who says yes to everything; the questions."""
    questions: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        questions.append(question)
        return True

    monkeypatch.setattr(places, "somebody_there", lambda: True)
    monkeypatch.setattr(click, "confirm", confirm)
    return questions


def test_existing_output_needs_y(xvc: Xvc, library: Calls, here: Path) -> None:
    (here / "out.xvc").write_bytes(b"old")
    for flags in ([], ["-n"]):
        result = xvc("encode", "in.mp4", "-o", "out.xvc", *flags)
        assert result.code == 1
        assert "-y" in result.err
        assert not library.asked
    assert xvc("encode", "in.mp4", "-o", "out.xvc", "-y").code == 0


def test_a_person_is_asked(xvc: Xvc, library: Calls, here: Path, asked: list[str]) -> None:
    assert xvc("encode", "in.mp4").code == 0  # in.xvc is there
    assert len(asked) == 1
    assert "in.xvc" in asked[0]
    assert xvc("encode", "in.mp4", "-n").code == 1
    assert len(asked) == 1


def test_a_person_may_refuse(
    xvc: Xvc, library: Calls, here: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click, "confirm", lambda *_, **__: False)
    result = xvc("encode", "in.mp4")
    assert result.code == 1
    assert "Not overwritten" in result.err
    assert not library.asked


def test_the_input_is_never_overwritten(xvc: Xvc, library: Calls, here: Path) -> None:
    (here / "link.xvc").symlink_to(here / "in.xvc")
    for target in ("in.xvc", "link.xvc", f"../{here.name}/in.xvc"):
        result = xvc("encode", "in.xvc", "-o", target, "-y")
        assert result.code == 1
        assert "is the input" in result.err
    assert not library.asked


def test_sequences_look_at_their_first_picture(xvc: Xvc, library: Calls, here: Path) -> None:
    (here / "f00001.png").write_bytes(b"old")
    assert xvc("decode", "in.xvc", "-o", "f%05d.png").code == 1
    assert xvc("decode", "in.xvc", "-o", "f%05d.png", "-y").code == 0


@pytest.mark.parametrize("name", ["nosuch.mp4", "", "folder", "empty.mp4"])
def test_inputs_that_are_none(xvc: Xvc, library: Calls, here: Path, name: str) -> None:
    (here / "folder").mkdir()
    (here / "empty.mp4").touch()
    result = xvc("encode", name, "-o", "out.xvc")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert not library.asked
    assert not (here / "out.xvc").exists()


def test_outputs_that_cannot_be(xvc: Xvc, library: Calls, here: Path) -> None:
    (here / "folder.xvc").mkdir()
    assert "no folder" in xvc("encode", "in.mp4", "-o", "nosuch/out.xvc").err
    assert "is a folder" in xvc("encode", "in.mp4", "-o", "folder.xvc").err
    assert not library.asked


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_unwritable_folder(xvc: Xvc, library: Calls, here: Path) -> None:
    (here / "locked").mkdir(mode=0o500)
    assert "may not be written" in xvc("encode", "in.mp4", "-o", "locked/out.xvc").err


def test_devices_are_outputs(xvc: Xvc, library: Calls, here: Path) -> None:
    assert xvc("encode", "in.mp4", "-o", os.devnull).code == 0


def test_standard_streams(xvc: Xvc, library: Calls, here: Path) -> None:
    assert xvc("encode", "-i", "-", "-o", "-").code == 0
    source, target, _ = library.asked[-1]
    assert hasattr(source, "read")
    assert hasattr(target, "write")


def test_a_terminal_gets_no_bytes(xvc: Xvc, library: Calls, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "terminal" in xvc("decode", "in.xvc", "-o", "-").err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert "terminal" in xvc("encode", "-", "-o", "out.xvc").err
    assert not library.asked


def test_export_wants_an_empty_folder(xvc: Xvc, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xvcodec

    monkeypatch.setattr(xvcodec, "export", lambda model, folder: [folder / "encoder.onnx"])
    assert xvc("export", "crossmodal", "-o", "graphs").code == 0
    assert "not empty" in xvc("export", "-o", ".").err
    assert "is a file" in xvc("export", "-o", "in.mp4").err
    assert xvc("export", "-o", ".", "-y", "--json").code == 0
