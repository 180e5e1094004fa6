"""WebVTT and SRT, in and out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xvc_bitstream import OPEN_END, Caption, FormatError, UsageError, read_captions, write_captions

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=12)
MILLISECONDS = st.integers(0, 359_999_998).map(lambda number: number * 1000)


@st.composite
def cues(draw: st.DrawFn) -> list[Caption]:
    lines = st.lists(WORDS.map(str.strip).filter(bool), min_size=1, max_size=3).map("\n".join)
    found = [
        Caption(min(a, b), max(a, b), text)
        for a, b, text in draw(st.lists(st.tuples(MILLISECONDS, MILLISECONDS, lines), min_size=1, max_size=5))
    ]
    return sorted(found, key=lambda cue: (cue.start_us, cue.end_us))


@settings(max_examples=50, deadline=None)
@given(cues())
def test_any_text_survives_webvtt(tmp_path_factory: pytest.TempPathFactory, captions: list[Caption]) -> None:
    path = tmp_path_factory.mktemp("vtt") / "a.vtt"
    write_captions(path, captions)
    assert list(read_captions(path)) == captions


@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_markup_arrows_and_open_ends_survive(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    captions = (Caption(0, 1_500_000, "Tom & <b>Jerry\nx --> y"), Caption(0, OPEN_END, "1 < 2"))
    write_captions(path, captions)
    assert read_captions(path) == captions
    assert ("Tom & " in path.read_text()) == (kind == "srt")


def test_what_other_programs_write_is_understood(tmp_path: Path) -> None:
    vtt = tmp_path / "a.vtt"
    vtt.write_text(
        "\ufeffWEBVTT - made elsewhere\nLanguage: pt-BR\n\nNOTE hello\n\nid\n00:02.000 --> 00:03.000 align:start\n"
        "<v Bob>Hi &amp; <i>bye</i>\n\n00:01.000 --> 00:02.000\nfirst\n"
    )
    assert read_captions(vtt) == (
        Caption(1_000_000, 2_000_000, "first", "pt-BR"),
        Caption(2_000_000, 3_000_000, "Hi & bye", "pt-BR"),
    )
    assert read_captions(vtt, "pt")[0].language == "pt"
    srt = tmp_path / "a.SRT"
    srt.write_bytes(b"1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>one</i>\r\ntwo\r\n\r\n")
    assert read_captions(srt) == (Caption(1_000_000, 2_500_000, "one\ntwo"),)


def test_languages_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    captions = (Caption(0, 1000, "dog", "en"), Caption(0, 1000, "Hund", "de"))
    with pytest.raises(UsageError, match="en, de"):
        write_captions(path, captions)
    write_captions(path, captions, "de")
    assert read_captions(path) == captions[1:]
    write_captions(path, (), None)
    assert read_captions(path) == ()


def test_bad_files_are_one_sentence(tmp_path: Path) -> None:
    for name, data in (
        ("a.vtt", b"no header"),
        ("b.vtt", b""),
        ("c.vtt", b"WEBVTT\n\n\xff"),
        ("d.srt", b"hello"),
        ("e.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"x" * 20_000),
        ("f.vtt", b" " * (2**24 + 1)),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FormatError) as caught:
            read_captions(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"\.vtt or \.srt"):
        read_captions(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="time order"):
        write_captions(tmp_path / "x.vtt", [Caption(2, 2, ""), Caption(1, 1, "")])
    with pytest.raises(FileNotFoundError):
        read_captions(tmp_path / "missing.vtt")
