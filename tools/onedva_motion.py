"""What motion takes of onedva's bits, and what its price should be:

    python tools/onedva_motion.py ../shared/data/val --clips dogwalk,bedroom --prices 1,2 --crf 52,58

For every price of motion and quality: estimated bits a pixel of motion and of tokens, and PSNR of luma before painting.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from onedva_clips import bits_of, clips, codec_of, motion


def numbers(text: str) -> list[float]:
    """"1,2" -> [1, 2]."""
    return [float(one) for one in text.split(",")]


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with an index.jsonl")
    parser.add_argument("--clips")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--prices", type=numbers, default=[1.5])
    parser.add_argument("--crf", type=numbers, default=[46.0, 52.0, 58.0])
    parser.add_argument("--model", default="onedva")
    parser.add_argument("--kept", type=Path, help="folder for motion, which is then searched for once")
    given = parser.parse_args()
    torch.set_num_threads(1)
    codec = codec_of(given.model)
    print("| clip | price | crf | motion | tokens | all | luma |\n|---|---|---|---|---|---|---|", flush=True)
    sums: dict[tuple[float, float], list[list[float]]] = {}
    for name, planes in clips(given.folder, given.frames, given.clips):
        for price in given.prices:
            for crf in given.crf:
                analysis = codec.moved(motion(name, planes, price, crf, given.kept), planes.luma.shape[0])
                coding = codec.coding(planes, analysis, crf)
                count = coding.progress.until(coding.plane)
                pixels = planes.luma.numel()
                moved = sum(bits_of(codec, stream) for stream in analysis.streams) / pixels
                sent = sum(scan.bits for scan in coding.progress.scans[:count]) / pixels
                made = codec.unpainted(codec.said(coding, coding.progress.pieces(count)))
                error = float((made.luma - planes.luma).square().mean())
                row = [moved, sent, moved + sent, -10 * math.log10(error)]
                sums.setdefault((price, crf), []).append(row)
                tell(name, price, crf, row)
    for (price, crf), rows in sums.items():
        tell(f"mean of {len(rows)}", price, crf, list(np.mean(rows, axis=0)))


def tell(name: str, price: float, crf: float, row: list[float]) -> None:
    """One line of the table."""
    print(f"| {name} | {price:g} | {crf:g} | " + " | ".join(f"{each:.4f}" for each in row[:3]) + f" | {row[3]:.2f} dB |",
          flush=True)


if __name__ == "__main__":
    main()
