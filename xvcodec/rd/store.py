"""Points on disk: one JSON file each, named by a hash of all that decides about the coded bytes, and the coded file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from xvc_bitstream import atomic_open

from .clips import Clip
from .codecs import Codec, Conditions
from .plots import safe_name

Record = dict[str, Any]


class Store:
    """`folder`/points and `folder`/streams. What is there under its name is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.points, self.streams = folder / "points", folder / "streams"
        self.points.mkdir(parents=True, exist_ok=True)
        self.streams.mkdir(exist_ok=True)

    def name(self, codec: Codec, clip: Clip, setting: float, conditions: Conditions) -> str:
        """Readable, and unique through the hash at its end."""
        facts = {"clip": clip.sha256, "frames": clip.frames, "codec": codec.name, "version": codec.version,
                 "setting": setting, "gop": conditions.gop, "threads": conditions.threads} | codec.identity(clip)
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return f"{safe_name(clip.name)[:40]}-{safe_name(codec.name)[:60]}-{setting:g}-{digest}"

    def load(self, name: str) -> Record | None:
        """A point; None where there is none, or none that can be read."""
        try:
            found = json.loads((self.points / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def save(self, name: str, record: Record) -> None:
        """Write a point, completely or not at all."""
        write_json(self.points / f"{name}.json", record)


def write_json(path: Path, value: Any) -> None:
    """Atomically. Raises OSError."""
    with atomic_open(path) as sink:
        sink.write((json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
