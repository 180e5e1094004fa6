"""The viewer's pictures: frames of sources and of kept streams as WebP, within a budget of frames and megabytes.

Pictures are kept in the report's folder `frames/`, so that a page is made again without decoding; the folder may be deleted.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream import BitstreamError, atomic_open

from xvcodec.errors import XvcError
from xvcodec.rd.plots import safe_name
from xvcodec.rd.view import Study

from .choose import Level, levels

Pictures = Generator[NDArray[np.uint8], None, None]
Decode = Callable[[Path, str | None], Pictures]
"""Frames of a coded file as uint8 RGB [H, W, 3], by path and codec name (None: a source)."""

_TYPICAL = 0.14  # bytes a pixel of a 360p reconstruction at quality 90, measured over twelve clips: 0.04 .. 0.4


@dataclass(frozen=True)
class Budget:
    """How much the viewer may hold."""

    megabytes: float = 36.0  # of the page, as text
    frames: int = 8  # a clip at most, evenly spaced
    levels: int = 2  # rates a clip at most
    quality: int = 90  # of WebP

    @property
    def bytes(self) -> float:
        """Of the pictures themselves; base64 writes 4 bytes for 3."""
        return self.megabytes * 0.75e6


@dataclass(frozen=True)
class Gallery:
    """One clip in the viewer. `pictures` by (level, codec, n): n counts `numbers`; a source is (None, None, n)."""

    clip: str
    numbers: tuple[int, ...]  # which frames of the clip, from 0
    levels: tuple[Level, ...]
    pictures: Mapping[tuple[int | None, str | None, int], Path]

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(path.stat().st_size for path in self.pictures.values())

    def thinned(self, rates: int, frames: int) -> Gallery:
        """At most `frames` of the frames, evenly chosen, and `rates` levels: the higher ones."""
        kept = evenly(len(self.numbers), frames)
        skipped = max(0, len(self.levels) - rates)
        pictures = {(None if level is None else level - skipped, codec, kept.index(n)): path
                    for (level, codec, n), path in self.pictures.items()
                    if n in kept and (level is None or level >= skipped)}
        return Gallery(self.clip, tuple(self.numbers[n] for n in kept), self.levels[skipped:], pictures)


def evenly(total: int, count: int) -> list[int]:
    """The middles of `count` equal parts of range(total)."""
    count = min(total, count)
    return [(2 * index + 1) * total // (2 * count) for index in range(count)]


def galleries(study: Study, folder: Path, sources: Mapping[str, Path], budget: Budget,
              decode: Decode) -> tuple[list[Gallery], list[str]]:
    """What the viewer shows, and a sentence about everything that it cannot show.

    `folder` is the report's: streams are relative to it. `sources` gives the clips' files, as far as they are there.
    """
    notes: list[str] = []
    maker = _Maker(folder, budget, decode, notes)
    frames = _affordable(study, budget)
    made = [maker.gallery(study, clip, sources.get(clip["name"]), frames) for clip in study.data["clips"]]
    return _fit([gallery for gallery in made if gallery.pictures], budget, notes), notes


def _affordable(study: Study, budget: Budget) -> int:
    """Frames a clip that are worth decoding: about three times what will fit, for clips that code better."""
    pixels = sum(clip["width"] * clip["height"] for clip in study.data["clips"]) * (1 + len(study.codecs))
    return max(1, min(budget.frames, math.ceil(3 * budget.bytes / max(1.0, _TYPICAL * pixels))))


def _fit(made: list[Gallery], budget: Budget, notes: list[str]) -> list[Gallery]:
    """Fewer frames down to four, then one rate instead of two, then fewer frames, then fewer clips."""
    rates = max((len(gallery.levels) for gallery in made), default=0)
    most = max((len(gallery.numbers) for gallery in made), default=0)
    tries = [(rate, frames) for rate in range(rates, 0, -1)
             for frames in range(most, min(3, most - 1) if rate > 1 else 0, -1)]
    for rate, frames in tries:
        thin = [gallery.thinned(rate, frames) for gallery in made]
        if sum(gallery.size for gallery in thin) <= budget.bytes:
            return thin
    thin = [gallery.thinned(1, 1) for gallery in made]
    sizes = list(itertools.accumulate(gallery.size for gallery in thin))
    count = sum(size <= budget.bytes for size in sizes)
    if count < len(thin):
        notes.append(f"The viewer holds the first {count} of {len(thin)} clips: more would pass {budget.megabytes:g} MB.")
    return thin[:count]


class _Maker:
    """Decodes what is not in the cache."""

    def __init__(self, folder: Path, budget: Budget, decode: Decode, notes: list[str]) -> None:
        self._folder, self._quality, self._decode, self._notes = folder, budget.quality, decode, notes
        self._levels = budget.levels

    def gallery(self, study: Study, clip: Mapping[str, Any], source: Path | None, frames: int) -> Gallery:
        """The pictures of one clip; a stream or source that cannot be decoded is a note."""
        name = clip["name"]
        numbers = evenly(clip["frames"], frames)
        chosen = levels(study, name, self._levels)
        pictures: dict[tuple[int | None, str | None, int], Path] = {}
        for number, level in enumerate(chosen):
            for codec, point in level.points.items():
                stream = self._folder / point["stream"]
                made = self._pictures(stream, codec, f"{stream.stem}-{point['bytes']:x}", numbers)
                pictures |= {(number, codec, n): path for n, path in enumerate(made)}
        if not pictures:
            return Gallery(name, tuple(numbers), tuple(chosen), {})
        if source is None:
            self._notes.append(f"The source of '{name}' is not there: the viewer shows only its reconstructions.")
        else:
            made = self._pictures(source, None, f"{name}-{str(clip.get('sha256'))[:12]}", numbers)
            pictures |= {(None, None, n): path for n, path in enumerate(made)}
        return Gallery(name, tuple(numbers), tuple(chosen), pictures)

    def _pictures(self, file: Path, codec: str | None, label: str, numbers: Sequence[int]) -> list[Path]:
        folder = self._folder / "frames"
        paths = [folder / f"{safe_name(label)}-{number}-q{self._quality}.webp" for number in numbers]
        if all(path.is_file() for path in paths):
            return paths
        folder.mkdir(exist_ok=True)
        try:
            for path, rgb in zip(paths, _pick(self._decode(file, codec), numbers), strict=True):
                with atomic_open(path) as sink:
                    sink.write(webp(rgb, self._quality))
        except (XvcError, BitstreamError, OSError, ValueError) as error:
            self._notes.append(f"'{os.path.basename(file)}' is not in the viewer: {error}")
            return []
        return paths


def _pick(frames: Pictures, numbers: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
    """The frames with these numbers, which rise; nothing behind the last one is decoded."""
    done = 0
    with closing(frames):
        for number in numbers:
            picked = next(itertools.islice(frames, number - done, None), None)
            if picked is None:
                raise ValueError(f"it ends before frame {number}.")
            done = number + 1
            yield picked


def webp(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """A lossy WebP file of uint8 RGB [H, W, 3]."""
    import io

    try:
        from PIL import Image
    except ImportError as error:
        raise XvcError("The viewer's pictures need Pillow: pip install 'xvc[rd]'.") from error
    data = io.BytesIO()
    Image.fromarray(rgb).save(data, "WEBP", quality=quality, method=4)
    return data.getvalue()
