"""A study with curves that are known in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METRICS = [{"name": "psnr", "unit": "dB", "better": "higher", "definition": "Over all RGB samples."},
           {"name": "msssim", "unit": "", "better": "higher", "definition": "Over five scales."},
           {"name": "lpips", "unit": "", "better": "lower", "definition": "A distance of features."}]
X264, X265 = "libx264:preset=medium", "libx265:preset=medium"
CODECS = {"crossmodal": ("xvc", 1.5), X264: ("ffmpeg", 1.25), X265: ("ffmpeg", 1.0)}
"""Kind, and how many times the bits of x265 it takes at every quality."""


def point(clip: str, codec: str, crf: float, bpp: float, psnr: float, **more: Any) -> dict[str, Any]:
    """One point with every metric a function of PSNR."""
    metrics = {"psnr": psnr, "msssim": 1 - 10 ** (-psnr / 20), "lpips": (40 - psnr) / 100}
    return {"clip": clip, "codec": codec, "crf": crf, "bytes": round(1e5 * bpp), "bpp": bpp, "kbps": 5000 * bpp,
            "encode_s": 2.0, "decode_s": 0.5, "threads": 1, "metrics": metrics,
            "frames": {"psnr": [psnr, psnr + 1] * 4},
            "stream": f"streams/{clip}-{codec.partition(':')[0]}-{crf:g}.mkv"} | more


def study(clips: Sequence[str] = ("bees", "coffee", "frost"), codecs: Mapping[str, tuple[str, float]] = CODECS,
          points: int = 4, **more: Any) -> dict[str, Any]:
    """An xvc-rd/1 object: PSNR gains 6 dB when the rate doubles twice, each clip has its own offset."""
    rows = [point(clip, codec, 24.0 + 4 * step, factor * (0.2 + 0.1 * number) / 2**step, 36.0 + number - 3 * step)
            for number, clip in enumerate(clips) for codec, (_, factor) in codecs.items() for step in range(points)]
    machine = {"cpu": "test", "cores": 2, "python": "3.11", "torch": "2", "ffmpeg": "8"}
    return {
        "schema": "xvc-rd/1", "created": "2026-01-01T00:00:00Z", "command": "xvc rd clips -o report", "xvc": "0.1.0",
        "conditions": {"key_interval": 32, "frames": 8, "threads": 1, "timed": True, "machine": machine},
        "clips": [{"name": clip, "width": 64, "height": 48, "frames": 8, "fps": 25.0, "bit_depth": 8, "sha256": clip,
                   "kind": "video"} for clip in clips],
        "codecs": [{"name": name, "kind": kind, "version": "1"} for name, (kind, _) in codecs.items()],
        "metrics": METRICS, "missing": [{"name": "vmaf", "reason": "No program."}], "points": rows, "bd": []} | more
