"""Decode a folder of clips and photographs once into flat uint8 arrays that training reads through memory maps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

HELD_OUT_EVERY = 33
"""Photograph number i with i % 33 == 5 never trains: these 24 measure still images."""


def held_out(images: list[Path]) -> list[Path]:
    """The photographs kept for measuring: every 33rd of the sorted list, at most 24."""
    return [path for number, path in enumerate(images) if number % HELD_OUT_EVERY == 5][:24]


def decode_planes(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (luma uint8 [H, W], chroma uint8 [2, H/2, W/2]) per frame, cut to multiples of 16.

    Photographs are RGB inside: they become BT.709 limited 4:2:0, like the clips.
    """
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            height, width = frame.height // 16 * 16, frame.width // 16 * 16
            if frame.format.name not in ("yuv420p",):
                rgb = np.ascontiguousarray(frame.to_ndarray(format="rgb24")[:height, :width], np.uint8)
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                frame = frame.reformat(format="yuv420p", src_color_range="JPEG", dst_color_range="MPEG",
                                       dst_colorspace="ITU709")
            planes = [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
            chroma = [plane[: height // 2, : width // 2] for plane in planes[1:]]
            yield planes[0][:height, :width].copy(), np.stack(chroma)


def prepare(data: Path, out: Path) -> None:
    """Write `clips.bin`, `images.bin` and `index.json` into `out` from the folders `data/train` and `data/images`.

    A record is, frame after frame, the luma plane and then both chroma planes (uint8). The index holds for each
    record: kind, byte offset, frames, height, width, caption, weight class ("camera", "generated", "image").
    """
    out.mkdir(parents=True, exist_ok=True)
    index: list[dict[str, object]] = []
    for folder, target in (("train", "clips.bin"), ("images", "images.bin")):
        rows = [json.loads(line) for line in (data / folder / "index.jsonl").read_text().splitlines()]
        rows.sort(key=lambda row: row["file"])
        kept_out = {path.name for path in held_out([Path(row["file"]) for row in rows])} if folder == "images" else set()
        offset = 0
        with open(out / target, "wb") as sink:
            for row in rows:
                if row["file"] in kept_out:
                    continue
                frames = 0
                for luma, chroma in decode_planes(data / folder / row["file"]):
                    sink.write(luma.tobytes())
                    sink.write(chroma.tobytes())
                    frames += 1
                index.append({"store": target, "offset": offset, "frames": frames, "height": luma.shape[0],
                              "width": luma.shape[1], "caption": row.get("caption") or "",
                              "kind": row.get("kind", "image") if folder == "train" else "image"})
                offset += frames * luma.size * 3 // 2
    (out / "index.json").write_text(json.dumps(index))
