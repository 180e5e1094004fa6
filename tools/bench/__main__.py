"""Speed and memory on this machine: `python tools/bench`, or `python tools/bench --only memory`.

Every figure is of whole processes or of loops after a warm-up; nothing here is asserted. Clips are synthesised, so that
it runs anywhere; `--clip` takes another one for the speeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from xvc_bitstream import TableSet, get_coder, log_scales

from xvcodec.media import open_video, synthesise

PEAK = ("import resource, sys, time, xvcodec; t = time.monotonic(); {call}; "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic() - t)")


def run(call: str) -> tuple[float, float]:
    """Run a line of Python in a process of its own: (peak memory in MiB, seconds of the call)."""
    done = subprocess.run([sys.executable, "-c", PEAK.format(call=call)], check=True, capture_output=True, text=True)
    peak, seconds = done.stdout.split()[-2:]
    return int(peak) / 1024, float(seconds)


def wall(arguments: list[str], runs: int = 5) -> float:
    """Median seconds of a command as a whole process."""
    times = []
    for _ in range(runs):
        started = time.monotonic()
        subprocess.run(arguments, check=True, capture_output=True)
        times.append(time.monotonic() - started)
    return float(np.median(times))


def entropy() -> None:
    """Msym/s and overhead of both coders on 2 million Laplace symbols."""
    rng = np.random.default_rng(0)
    tables = TableSet.laplace(log_scales(64), 127)
    index = rng.integers(8, 40, 2_000_000).astype(np.uint8)
    symbols = np.round(rng.laplace(0.0, log_scales(64)[index])).astype(np.int32)
    from xvc_bitstream import bits

    ideal = float(bits(symbols, index, tables)) / 8
    for name in ("constriction", "torchac"):
        coder = get_coder(name)
        data = coder.encode(symbols, index, tables)
        best = [1e9, 1e9]
        for _ in range(3):
            started = time.perf_counter()
            coder.encode(symbols, index, tables)
            middle = time.perf_counter()
            decoded = coder.decode(data, index, tables)
            best = [min(best[0], middle - started), min(best[1], time.perf_counter() - middle)]
            assert np.array_equal(decoded, symbols)
        print(f"entropy {name:13} encode {symbols.size / best[0] / 1e6:6.1f} Msym/s  decode "
              f"{symbols.size / best[1] / 1e6:6.1f} Msym/s  {100 * (len(data) / ideal - 1):+.3f} % over ideal", flush=True)


def speed(clip: Path, folder: Path, models: list[str]) -> None:
    """Frames a second of encode and of decode to planes, model load not counted, beside x265 medium."""
    with open_video(clip, audio=False) as reader:
        frames, size = sum(1 for _ in reader.frames()), (reader.info.width, reader.info.height)
    for model in models:
        coded = folder / f"{model}.xvc"
        warm = f"xvcodec.encode({str(clip)!r}, {str(coded)!r}, xvcodec.EncodeOptions(model={model!r}, duration=0.1))"
        call = f"xvcodec.encode({str(clip)!r}, {str(coded)!r}, xvcodec.EncodeOptions(model={model!r}, crf=44, audio=False))"
        peak, seconds = run(f"{warm}; t = time.monotonic(); {call}")
        once = f"sum(1 for _ in xvcodec.open({str(coded)!r}).frames())"
        peak_decode, seconds_decode = run(f"{once}; t = time.monotonic(); {once}")
        print(f"speed {model:16} {size[0]}x{size[1]}  encode {frames / seconds:6.2f} fps ({peak:.0f} MiB)  decode "
              f"{frames / seconds_decode:6.2f} fps ({peak_decode:.0f} MiB)", flush=True)
    x265 = (f"from xvcodec.media import open_video, open_writer; r = open_video({str(clip)!r}, audio=False); "
            f"w = open_writer({str(folder / 'x.mp4')!r}, r.info, codec='libx265', options={{'preset': 'medium'}}); "
            "[w.write(f) for f in r.frames()]; w.close()")
    _, seconds = run(x265)
    print(f"speed {'libx265 medium':16} {size[0]}x{size[1]}  encode {frames / seconds:6.2f} fps", flush=True)


def memory(folder: Path, model: str, rate: int) -> None:
    """Peak memory of encode and decode of 20 s and of 60 s of 720p."""
    for seconds in (20, 60):
        clip, coded = folder / f"{seconds}.mp4", folder / f"{seconds}.xvc"
        synthesise(clip, seconds=seconds, size=(1280, 720), fps=rate)
        options = f"xvcodec.EncodeOptions(model={model!r}, crf=44)"
        encode, took = run(f"xvcodec.encode({str(clip)!r}, {str(coded)!r}, {options})")
        decode, took_decode = run(f"xvcodec.decode({str(coded)!r}, {str(folder / 'out.mp4')!r})")
        print(f"memory {model} 1280x720 {seconds} s at {rate} fps: encode {encode:.0f} MiB in {took:.0f} s, "
              f"decode {decode:.0f} MiB in {took_decode:.0f} s", flush=True)


def start(folder: Path) -> None:
    """Whole-process times: probe, and decode of one frame."""
    clip, coded = folder / "one.mp4", folder / "one.xvc"
    synthesise(clip, seconds=0.1, size=(640, 360), fps=10)
    import xvcodec

    xvcodec.encode(clip, coded, xvcodec.EncodeOptions(crf=40, audio=False))
    command = [sys.executable, "-m", "xvc_cli"]
    print(f"start probe {wall([*command, 'probe', str(coded)]):.2f} s, decode of one frame to PNG "
          f"{wall([*command, 'decode', str(coded), '-y', '-o', str(folder / 'one.png')]):.2f} s", flush=True)
    print(json.dumps({"bytes_of_one_frame": coded.stat().st_size}), flush=True)


def main() -> int:
    """Run the chosen benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("entropy", "speed", "memory", "start"))
    parser.add_argument("--clip", type=Path, help="clip for the speeds")
    parser.add_argument("--model", default="crossmodal-fast", help="model of the memory benchmark")
    parser.add_argument("--rate", type=int, default=10, help="frames a second of the memory benchmark's clips")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only in (None, "entropy"):
            entropy()
        if options.only in (None, "start"):
            start(folder)
        if options.only in (None, "speed"):
            clip = options.clip or folder / "clip.mp4"
            if options.clip is None:
                synthesise(clip, seconds=4, size=(640, 360), fps=30)
            speed(clip, folder, ["crossmodal-fast", "crossmodal"])
        if options.only in (None, "memory"):
            memory(folder, options.model, options.rate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
