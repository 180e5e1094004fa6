"""One look for codecs, the same in every plot and on the page: xvc models are warm, other encoders cool, the rest grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LIGHT = {
    "xvc": ("#d9480f", "#e8a100", "#c2255c", "#9c36b5"),
    "ffmpeg": ("#1c64c8", "#12876f", "#6741c4", "#0b8fb3", "#5b7a1d"),
    "external": ("#495057", "#868e96", "#7a5c3e", "#a0a4a8"),
}
_DARK = {
    "xvc": ("#ff8352", "#ffc94d", "#f783ac", "#da77f2"),
    "ffmpeg": ("#74b0ff", "#45d1b0", "#b197fc", "#5fd3f0", "#b3d45a"),
    "external": ("#ced4da", "#868e96", "#c9a67f", "#6c757d"),
}
MARKERS = ("circle", "square", "triangle", "diamond", "inverted", "pentagon")
_FAMILY = {"libx264": "x264", "libx265": "x265", "libsvtav1": "SVT-AV1", "libvpx-vp9": "VP9", "libaom-av1": "libaom AV1"}


@dataclass(frozen=True)
class Style:
    """How one codec is drawn."""

    label: str  # short and unique in the study
    light: str  # colour on white
    dark: str  # colour on black
    marker: str  # of MARKERS
    own: bool  # an xvc model: drawn stronger


def styles(codecs: Sequence[Mapping[str, Any]]) -> dict[str, Style]:
    """By codec name, for the `codecs` of results.json."""
    labels = _labels([codec["name"] for codec in codecs])
    count: dict[str, int] = {}
    made = {}
    for index, codec in enumerate(codecs):
        kind = codec["kind"] if codec["kind"] in _LIGHT else "external"
        number = count[kind] = count.get(kind, -1) + 1
        light, dark = _LIGHT[kind], _DARK[kind]
        made[codec["name"]] = Style(labels[codec["name"]], light[number % len(light)], dark[number % len(dark)],
                                    MARKERS[index % len(MARKERS)], kind == "xvc")
    return made


def _labels(names: Sequence[str]) -> dict[str, str]:
    """`libx265:preset=medium` is "x265 medium"; where short labels collide, the whole name stands."""
    short = {}
    for name in names:
        head, _, rest = name.partition(":")
        options = [pair.partition("=") for pair in rest.split(":") if pair]
        words = [value if key == "preset" and not value.isdigit() else f"{key} {value}" for key, _, value in options]
        short[name] = " ".join([_FAMILY.get(head, head), *words])
    return {name: label if list(short.values()).count(label) == 1 else name for name, label in short.items()}
