"""What captions are worth, three ways: every clip with its own caption, with none, and with another clip's:

    python tools/caption_study.py ../shared/data/val --model crossmodal --frames 32 -o runs/captions

Each clip is coded as in files, at four qualities (--crf), and the curves of bytes and mean PSNR-RGB are compared: bits at
equal quality (BD-rate) and dB at equal bits (BD-PSNR), against no caption. The bytes are those of the GOPs' chunks and of
the caption itself; the last line of the table leaves the caption's own bytes out. A clip counts for captions when its own
beats both none and the other clip's. Writes `<model>.md` and `<model>.json`; clips that are finished are not run again.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from xvc_bitstream.chunks import OVERHEAD, squeeze
from xvc_bitstream.metadata import pack_captions

from xvcodec import EncodeOptions
from xvcodec.codec.encode import Encoder
from xvcodec.models.weights import load_model
from xvcodec.rd.bd import Curve, Delta, delta, summarise

WAYS = ("right", "none", "other")
Points = dict[str, list[float]]
"""Of one clip coded one way: `bytes` and `psnr` at each crf, and `caption`, the bytes of the caption's chunk."""


def code(path: Path, options: EncodeOptions, most: int, crfs: list[float]) -> Points:
    """A clip coded one way."""
    encoder, frames = Encoder(path, options, None), 0
    size, psnr = np.zeros(len(crfs)), np.zeros(len(crfs))
    with ExitStack() as stack:
        reader, _ = encoder.begin(stack)
        for gop in stack.enter_context(closing(encoder.gops(reader))):
            gop.frames = gop.frames[: most - frames]
            if not gop.frames:
                break
            frames += len(gop.frames)
            for number, crf in enumerate(crfs):
                trial = encoder.trial(gop)  # anew, because motion is searched for one quality
                coded = trial.code(crf)
                size[number] += coded.size
                psnr[number] += trial.psnr(coded) * len(gop.frames)
        told = encoder.captions
    caption = len(squeeze(pack_captions(told))) + OVERHEAD if told else 0
    return {"bytes": size.tolist(), "psnr": (psnr / frames).tolist(), "caption": [float(caption)]}


def against(found: dict[str, Points], way: str, reference: str = "none", caption: bool = True) -> Delta:
    """One way of coding a clip against another."""
    reference_curve, test = (
        Curve.of(np.array(found[name]["bytes"]) + found[name]["caption"][0] * caption, found[name]["psnr"])
        for name in (reference, way))
    return delta(reference_curve, test)


def wins(found: dict[str, Points]) -> bool:
    """Whether the right caption needs fewer bits than none and than another clip's."""
    rates = [against(found, "right", other).rate for other in ("none", "other")]
    return all(rate is not None and rate < 0.0 for rate in rates)


def table(clips: dict[str, dict[str, Points]]) -> str:
    """Markdown, clip by clip, with means."""
    heads = ("clip", "own caption: bits", "dB", "another clip's: bits", "dB", "own is best")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, found in clips.items():
        deltas = [against(found, way) for way in ("right", "other")]
        lines.append(f"| {name} | {' | '.join(_figures(one.rate, one.quality) for one in deltas)} | "
                     f"{'yes' if wins(found) else 'no'} |")
    for caption, what in ((True, "mean"), (False, "mean, without the caption's own bytes")):
        cells = []
        for way in ("right", "other"):
            rows = [against(found, way, caption=caption) for found in clips.values()]
            for values, unit in (([row.rate for row in rows], " %"), ([row.quality for row in rows], "")):
                mean = summarise(value for value in values if value is not None)
                cells.append("no figure" if mean is None else f"{mean.mean:+.3f}{unit}" + (
                    "" if mean.low is None else f" ({mean.low:+.3f} .. {mean.high:+.3f})"))
        best = f"{sum(map(wins, clips.values()))} of {len(clips)}" if caption else ""
        lines.append(f"| {what} | {' | '.join(cells)} | {best} |")
    return "\n".join(lines)


def _figures(rate: float | None, quality: float | None) -> str:
    return " | ".join("no figure" if value is None else f"{value:+.3f}{unit}"
                      for value, unit in ((rate, " %"), (quality, "")))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder with an index.jsonl that has captions")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/captions"))
    parser.add_argument("--model", default="crossmodal", help="a shipped model, or a .safetensors file")
    parser.add_argument("--crf", type=lambda text: [float(one) for one in text.split(",")], default=[20.0, 32.0, 44.0, 56.0])
    parser.add_argument("--frames", type=int, default=1 << 30, help="of each clip, at most")
    parser.add_argument("--gop", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(given.model)
    conditions = {"model": model.name, "hash": model.hash.hex(), "crf": given.crf, "frames": given.frames, "gop": given.gop}
    given.output.mkdir(parents=True, exist_ok=True)
    report = given.output / f"{model.name}.json"
    done: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    clips = done.get("clips", {}) if done.get("conditions") == conditions else {}
    rows = [json.loads(line) for line in (given.clips / "index.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row.get("caption")]
    for number, row in enumerate(rows):
        prompts = dict(zip(WAYS, (row["caption"], "", rows[(number + 1) % len(rows)]["caption"]), strict=True))
        name = Path(row["file"]).stem
        if name not in clips:
            clips[name] = {way: code(given.clips / row["file"], EncodeOptions(model=given.model, gop=given.gop, audio=False,
                                                                              prompt=prompt), given.frames, given.crf)
                           for way, prompt in prompts.items()}
            report.write_text(json.dumps({"conditions": conditions, "clips": clips}, indent=1))
    (given.output / f"{model.name}.md").write_text(table(clips) + "\n")
    print(table(clips))


if __name__ == "__main__":
    main()
