"""Captions and prompts: stored, replaced, written beside pictures, and told to the decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codec_clips import QUICK, frames_of, largest_difference, options
from xvc_bitstream import Caption, read_captions, write_captions

import xvcodec

CUES = [Caption(0, 200_000, "a red tram", "en"), Caption(0, 200_000, "eine rote Tram", "de"),
        Caption(250_000, 500_000, "a dog runs through a park", "en")]


def test_caption_files_with_several_languages(clip: Path, tmp_path: Path) -> None:
    write_captions(tmp_path / "in.vtt", CUES[:1] + CUES[2:])
    xvcodec.encode(clip, tmp_path / "a.xvc", options(captions=tmp_path / "in.vtt", language="de"))
    with xvcodec.open(tmp_path / "a.xvc") as video:
        assert [(c.start_us, c.end_us, c.text, c.language) for c in video.captions] == [
            (0, 200_000, "a red tram", "de"), (250_000, 500_000, "a dog runs through a park", "de")]
    before = (tmp_path / "a.xvc").read_bytes()
    xvcodec.set_captions(tmp_path / "a.xvc", CUES, tmp_path / "b.xvc")
    assert xvcodec.verify(tmp_path / "b.xvc").ok and (tmp_path / "a.xvc").read_bytes() == before
    with xvcodec.open(tmp_path / "b.xvc") as video:
        assert video.captions == CUES
    xvcodec.decode(tmp_path / "b.xvc", tmp_path / "b.mkv", QUICK)
    with xvcodec.media.open_video(tmp_path / "b.mkv") as reader:
        assert {cue.text for cue in reader.captions} == {cue.text for cue in CUES}
    result = xvcodec.decode(tmp_path / "b.xvc", tmp_path / "c.y4m", QUICK)
    for name, cues in (("c.en.vtt", CUES[::2]), ("c.de.vtt", CUES[1:2])):
        assert list(read_captions(tmp_path / name)) == cues and any(name in warning for warning in result.warnings)
    (tmp_path / "d.vtt").write_text("mine")
    assert any("d.vtt" in warning for warning in xvcodec.decode(tmp_path / "a.xvc", tmp_path / "d.y4m", QUICK).warnings)
    assert (tmp_path / "d.vtt").read_text() == "mine"


def test_a_language_never_becomes_a_path(clip: Path, tmp_path: Path) -> None:
    xvcodec.encode(clip, tmp_path / "a.xvc", options())
    strange = [Caption(0, 9, "one", "../../x"), Caption(0, 9, "two", "en")]
    xvcodec.set_captions(tmp_path / "a.xvc", strange, tmp_path / "a.xvc")
    xvcodec.decode(tmp_path / "a.xvc", tmp_path / "f%02d.png", QUICK)
    assert {path.name for path in tmp_path.glob("*.vtt")} == {"f.0.vtt", "f.en.vtt"}


def test_a_prompt_is_one_cue_over_the_whole_file(coded: Path) -> None:
    (cue,) = xvcodec.probe(coded)["captions"]
    assert cue == {"start": 0.0, "end": None, "text": "waves that drift", "language": "en"}


def test_text_reaches_the_decoder(coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the decoder is told differs with the text; the same words are the same pictures."""
    from xvcodec.codec.guidance import Guidance

    seen: list[str] = []
    call = Guidance.__call__

    def watch(self: Guidance, text: str) -> Any:
        guide = call(self, text)
        seen.append(f"{text}:{guide.text.shape[1] > 0}")
        return guide

    monkeypatch.setattr(Guidance, "__call__", watch)
    stored = frames_of(coded)
    assert seen == ["waves that drift:True"] * 3
    same = frames_of(coded, prompt="waves that drift")
    assert largest_difference(stored, same) == 0
    for options_, told in (({"prompt": "a dog " * 2000}, "True"), ({"prompt": ""}, "False"), ({"text": False}, "False"),
                           ({"text": False, "prompt": "dropped all the same"}, "False"),
                           ({"prompt": "\N{GRINNING FACE} \u202e\x00" + "x" * 5000}, "")):
        seen.clear()
        other = frames_of(coded, **options_)
        assert len(other) == len(stored) and len(seen) == 3
        assert all(text.endswith(told) for text in seen)


def test_each_gop_is_told_its_own_cues(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xvcodec.codec.guidance import Guidance

    told: list[str] = []
    call = Guidance.__call__
    monkeypatch.setattr(Guidance, "__call__", lambda self, text: told.append(text) or call(self, text))
    write_captions(tmp_path / "in.vtt", CUES[:1] + CUES[2:])
    xvcodec.encode(clip, tmp_path / "a.xvc", options(captions=tmp_path / "in.vtt"))
    written, told[:] = [*told], []
    frames_of(tmp_path / "a.xvc")
    assert written == told == ["a red tram. a dog runs through a park", "a dog runs through a park", ""]
