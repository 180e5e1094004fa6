"""One self-contained page, index.html: curves, BD table, speed, and a viewer of reconstructions. It needs no network."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO

from xvc_bitstream import atomic_open

from xvcodec.rd.view import Study

from .decode import decode
from .payload import payload
from .pictures import Budget, Decode, Gallery, galleries

__all__ = ["Budget", "write"]

SCRIPTS = ("tools", "state", "chart", "multiples", "table", "speed", "pictures", "viewer", "viewer-input", "start")


def write(study: Study, folder: Path, sources: Mapping[str, Path] | None = None, *, budget: Budget | None = None,
          seed: int = 0, decode: Decode = decode) -> Path:
    """Write `folder`/index.html for the report that lies in `folder`; returns its path.

    `sources` gives the clips' files by name; without it the page takes those that results.json names and that are there.
    Pictures come from kept streams and are decoded unless `folder`/frames has them. Raises `XvcError`, OSError.
    """
    sources = _sources(study, folder) if sources is None else sources
    made, notes = galleries(study, folder, sources, budget or Budget(), decode)
    target = folder / "index.html"
    with atomic_open(target) as sink:
        _assemble(sink, study, made, payload(study, made, notes, seed))
    return target


def _sources(study: Study, folder: Path) -> dict[str, Path]:
    named = {clip["name"]: folder / clip["path"] for clip in study.data["clips"] if clip.get("path")}
    return {name: path for name, path in named.items() if path.is_file()}


def _assemble(sink: BinaryIO, study: Study, made: list[Gallery], data: Mapping[str, Any]) -> None:
    """The template with style, data, pictures (one element a clip, read when it is looked at) and scripts put in."""
    clips = "one clip" if len(study.clips) == 1 else f"{len(study.clips)} clips"
    parts = {"TITLE": f"Rate–distortion study: {clips}, {len(study.codecs)} codecs".encode(), "STYLE": _asset("page.css"),
             "DATA": _json(data), "SCRIPT": b"\n".join(_asset(f"{name}.js") for name in SCRIPTS)}
    for piece in _asset("page.html").split(b"{{"):
        name, closed, rest = piece.partition(b"}}")
        if not closed:
            sink.write(piece)
            continue
        if name == b"PICTURES":
            for number, gallery in enumerate(made):
                sink.write(b'<script type="application/json" id="pictures-%d">' % number)
                sink.write(_json({_key(*key): base64.b64encode(path.read_bytes()).decode()
                                  for key, path in gallery.pictures.items()}))
                sink.write(b"</script>\n")
        else:
            part = parts[name.decode()]
            sink.write(html.escape(part.decode()).encode() if name == b"TITLE" else part)
        sink.write(rest)


def _key(level: int | None, codec: str | None, number: int) -> str:
    """What the script calls a picture."""
    return f"source/{number}" if level is None else f"{level}/{number}/{codec}"


def _asset(name: str) -> bytes:
    return (resources.files(__package__) / "assets" / name).read_bytes()


def _json(value: Any) -> bytes:
    """JSON that no text in it can break out of a script element; numbers that are not finite become null."""
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0.0 else value
