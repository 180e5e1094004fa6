"""Write pictures that the painter of onedva is trained on: training clips as the codec decodes them from prefixes.

    python tools/record_tokens.py runs/cache -o runs/samples.safetensors --clips 80     # a cache made by xvc train
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from xvcodec.codec.onedva import OnedvaCodec
from xvcodec.models.weights import load_model
from xvcodec.runtime.torch_runtime import TorchRuntime
from xvcodec.training.data import Clips
from xvcodec.training.onedva_samples import Samples, record


def main() -> None:
    """Code clips and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--prefixes", type=int, default=4, help="of each clip")
    parser.add_argument("--pictures", type=int, default=4, help="of each prefix")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model("onedva")
    codec = OnedvaCodec(model, TorchRuntime(model.module, "cpu", "float32"))
    clips = Clips(given.cache, given.seed, motion=False)
    start, parts = time.process_time(), list[Samples]()
    for number in range(given.clips):
        parts.append(record(codec, clips, given.prefixes, given.pictures))
        print(f"{number + 1} of {given.clips} clips, {time.process_time() - start:.0f} s", flush=True)
    Samples.joined(parts).save(given.output)


if __name__ == "__main__":
    main()
