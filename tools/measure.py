"""Rate and quality of real files: every clip of a folder at several qualities, whole files counted.

    python tools/measure.py ../shared/data/val --model crossmodal --crf 36 44 52 -o runs/crossmodal.json

For each clip and crf it encodes to a temporary .xvc, decodes that file, and measures PSNR-RGB (mean over frames of the
decoded file against the source) and bits a pixel: 8 * video bytes / (width * height * frames). Captions come
from the folder's index.jsonl. `--model libx265:preset=medium` measures another encoder the same way: mp4 files, key
frames at most 32 apart, default tuning. Prints a table; -o keeps the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import xvcodec
from xvcodec.codec.measure import psnr_rgb
from xvcodec.media import open_video, open_writer
from xvcodec.media.types import VideoInfo


def anchor(clip: Path, codec: str, crf: float, folder: Path) -> dict[str, Any]:
    """The same for an encoder of FFmpeg's: `libx264:preset=medium`."""
    name, _, rest = codec.partition(":")
    options = {"crf": str(crf), "g": "32"} | dict(pair.split("=", 1) for pair in rest.split(":") if pair)
    if name == "libx265":
        options["x265-params"] = "keyint=32:log-level=error"
    coded = folder / f"{clip.stem}.mp4"
    started = time.monotonic()
    with open_video(clip, audio=False) as source:
        info = source.info
        with open_writer(coded, info, codec=name, options=options) as writer:
            for frame in source.frames():
                writer.write(frame)
    encoded = time.monotonic()
    with open_video(clip, audio=False) as source, open_video(coded) as decoded:
        values = [psnr_rgb(a, b, info) for a, b in zip(source.frames(), decoded.frames(), strict=True)]
    return _row(clip, codec, crf, info, coded.stat().st_size, values, encoded - started, time.monotonic() - encoded)


def measure(clip: Path, model: str, crf: float, caption: str, folder: Path) -> dict[str, Any]:
    """Encode, decode and compare one clip."""
    if model.startswith("lib"):
        return anchor(clip, model, crf, folder)
    coded = folder / f"{clip.stem}.xvc"
    started = time.monotonic()
    result = xvcodec.encode(clip, coded, xvcodec.EncodeOptions(crf=crf, model=model, prompt=caption or None, audio=False))
    encoded = time.monotonic()
    given = xvcodec.DecodeOptions(model=model if model.endswith(".safetensors") else None)
    with open_video(clip, audio=False) as source, xvcodec.open(coded, given) as video:
        info = source.info
        values = [psnr_rgb(a, b, info) for a, b in zip(source.frames(), video.frames(), strict=True)]
    return _row(clip, Path(model).stem, crf, info, result.video_bytes, values, encoded - started,
                time.monotonic() - encoded)


def _row(clip: Path, model: str, crf: float, info: VideoInfo, size: int, values: list[float], encode: float,
         decode: float) -> dict[str, Any]:
    pixels = info.width * info.height * len(values)
    return {"clip": clip.stem, "model": model, "crf": crf, "frames": len(values), "bytes": size, "bpp": 8 * size / pixels,
            "psnr": float(np.mean(values)), "encode_s": encode, "decode_s": decode,
            "psnr_frames": [round(value, 3) for value in values]}


def main() -> int:
    """Run the study that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="crossmodal")
    parser.add_argument("--crf", type=float, nargs="+", default=[32.0, 40.0, 48.0])
    parser.add_argument("--clips", nargs="*", help="stems of the clips to take; all when not given")
    parser.add_argument("--no-captions", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    index = [json.loads(line) for line in (options.folder / "index.jsonl").read_text().splitlines()]
    captions = {row["file"]: row.get("caption") or "" for row in index}
    clips = [options.folder / name for name in sorted(captions)
             if not options.clips or Path(name).stem in options.clips]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for crf in options.crf:
            for clip in clips:
                caption = "" if options.no_captions else captions[clip.name]
                rows.append(measure(clip, options.model, crf, caption, Path(folder)))
                row = rows[-1]
                print(f"{row['clip']:>12} crf {crf:4.1f}  {row['psnr']:6.2f} dB  {row['bpp']:.4f} bpp  "
                      f"{row['frames'] / row['encode_s']:5.1f} / {row['frames'] / row['decode_s']:5.1f} fps", flush=True)
            chosen = [row for row in rows if row["crf"] == crf]
            print(f"{'mean':>12} crf {crf:4.1f}  {np.mean([row['psnr'] for row in chosen]):6.2f} dB  "
                  f"{np.mean([row['bpp'] for row in chosen]):.4f} bpp", flush=True)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
