"""The motion fields that `xvcodec.training.motion` searched, and what coding them takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from xvc_bitstream.coders.base import bits

from xvcodec.codec.field_contexts import COMPONENTS, Ints
from xvcodec.codec.field_network import FieldNetwork
from xvcodec.codec.fields import encode_fields
from xvcodec.codec.shifts import Prices
from xvcodec.models.warp import BLOCK


def searched(folder: Path, clips: int) -> list[Ints]:
    """Fields of the first `clips` clips (they were searched in random order), int32 [chunks, 4, 3, h, w] each."""
    index = json.loads((folder / "index.json").read_text())
    rows = {row["offset"]: row for row in index if row["store"] == "clips.bin"}
    lines = (folder / "motion.jsonl").read_text().splitlines(True)
    notes = [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be half written
    store = np.memmap(folder / "motion.bin", np.int16, "r")
    found = []
    for note in notes[:clips]:
        row = rows[note["offset"]]
        shape = (note["chunks"], 4, COMPONENTS, row["height"] // BLOCK, row["width"] // BLOCK)
        found.append(store[note["at"] // 2 :][: int(np.prod(shape))].reshape(shape).astype(np.int32))
    return found


def measure_fields(clips: list[Ints], contexts: FieldNetwork) -> str:
    """Mean bits of a vector and of a chunk."""
    spent, prices, tables = np.zeros(2), Prices(contexts.tables), contexts.tables
    vectors = sum(fields[:, 0, 0].size for fields in clips)
    for fields in clips:
        for which, used in enumerate((0, 3)):
            kept = np.where(np.arange(4)[:, None, None, None] <= used, fields, 0)
            passes = encode_fields(kept, [used] * len(fields), contexts, prices)
            spent[which] += sum(bits(symbols, index, tables) for symbols, index in passes)
    anchor, both = spent
    chunk = both / sum(len(fields) for fields in clips)
    return (f"anchor {anchor / vectors:.3f} bits a vector, corrections {(both - anchor) / vectors / 3:.3f}, "
            f"together {chunk:.0f} bits a chunk, {both / vectors / (4 * BLOCK**2):.5f} bpp")
