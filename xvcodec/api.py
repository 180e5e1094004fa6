"""The library's verbs. Nothing here prints; what goes wrong is an `XvcError` or a `BitstreamError` of one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream import Caption, Reader, atomic_open, replace_captions
from xvc_bitstream import truncate as _truncate

from xvcodec.errors import UsageError
from xvcodec.options import DecodeOptions, DecodeResult, EncodeOptions, EncodeResult, Report
from xvcodec.video import Video, describe

if TYPE_CHECKING:
    from xvcodec.codec.check import VerifyResult

Source = str | Path | BinaryIO


def encode(source: Source, target: Source, options: EncodeOptions = EncodeOptions(),
           progress: Report | None = None) -> EncodeResult:
    """Encode a video (anything PyAV reads, or a binary file object) into an .xvc file or file object."""
    from xvcodec.codec.encode import Encoder

    return Encoder(source, options, progress).run(target)


def decode(source: Source, target: Source, options: DecodeOptions = DecodeOptions(),
           progress: Report | None = None) -> DecodeResult:
    """Decode into what the target's name says (mp4, mkv, webm, mov, y4m, png, jpg), or y4m into a file object."""
    from xvcodec.codec.output import decode_file

    return decode_file(source, target, options, progress)


def open(source: Source, options: DecodeOptions = DecodeOptions()) -> Video:
    """Open an .xvc file for frames, latents, captions and facts."""
    return Video(source, options)


def analyse(source: Source, options: EncodeOptions = EncodeOptions(model="crossmodal-latent")) -> Iterator[dict[str, Any]]:
    """A video as unquantised latents, GOP after GOP (options.gop frames at most, scene cuts begin a new one).

    Args:
        source: anything PyAV reads, or a binary file object.
        options: model, gop, start, duration, end, prompt, captions, backend and device count.
    Yields:
        "latent": float32 [1 + n, 16, ceil(H / 8), ceil(W / 8)], about unit variance a channel: first one for the GOP's
        first frame, then one for each four frames (the last may stand for fewer); "frames": how many frames these are.
    Raises:
        UsageError: the model codes in a closed loop and has no such latents.
    """
    from xvcodec.codec import open_loop

    return open_loop.analyse(source, options)


def synthesise(latents: Mapping[str, NDArray[Any]], width: int, height: int, frames: int, prompt: str | None = None,
               model: str = "crossmodal-latent", backend: str = "auto", device: str = "auto") -> Iterator[NDArray[np.uint8]]:
    """Pictures of one GOP's latents, such as `analyse`, `Video.latents` or a generator made.

    Args:
        latents: "latent": float [1 + n, 16, ceil(height / 8), ceil(width / 8)].
        width, height: of the pictures.
        frames: 1 + 4 n, or up to three fewer.
        prompt: caption that guides the decoder.
    Yields:
        uint8 [height, width, 3], R G B; the model's YUV is taken for BT.709, limited range.
    Raises:
        UsageError: the sizes do not belong together, or the model has no such latents.
    """
    from xvcodec.codec import open_loop

    options = DecodeOptions(model=model, backend=backend, device=device)
    return open_loop.synthesise(latents, width, height, frames, prompt, options)


def probe(source: Source) -> dict[str, Any]:
    """Facts about an .xvc file, as `xvc probe --json` prints them; loads no model."""
    with Reader.open(source) as reader:
        return describe(reader)


def verify(source: Source, model: str | None = None) -> VerifyResult:
    """Check checksums, index, and that every symbol decodes."""
    from xvcodec.codec import check

    return check.verify(source, model)


def set_captions(source: str | Path, captions: Sequence[Caption], target: str | Path) -> None:
    """Copy an .xvc file with other captions; nothing is re-encoded. Source and target may be the same file."""
    with Reader.open(source) as reader, atomic_open(target) as sink:
        replace_captions(reader, sink, list(captions))


def truncate(source: str | Path, target: str | Path, bpp: float | None = None, size: int | None = None) -> float:
    """Copy an .xvc file without its finest tokens; no model runs. Source and target may be the same file.

    Args:
        bpp, size: bits a pixel of all but the audio, or bytes of the whole file, at most; one of them is given.
    Returns:
        bits a pixel of the result.
    Raises:
        UsageError (of the bitstream): the file's model writes no tokens, or the file cannot be so small.
    """
    if (bpp is None) == (size is None):
        raise UsageError("truncating takes either --bpp or --target-size")
    with Reader.open(source) as reader, atomic_open(target) as sink:
        pixels = reader.header.width * reader.header.height * sum(entry.frames for entry in reader.entries)
        budget = int(bpp * pixels / 8) if bpp is not None else (size or 0) - reader.audio_bytes
        _truncate(reader, sink, budget)
        return 8.0 * (sink.tell() - reader.audio_bytes) / pixels


@dataclass(frozen=True)
class ModelInfo:
    """A shipped model."""

    name: str
    file: str
    hash: str  # SHA-256, hex
    parameters: int
    bytes: int
    encode_kmac: float  # thousand multiplications a pixel, mean over a GOP of 32 frames; the encoder decodes, too
    decode_kmac: float
    description: str


def list_models() -> list[ModelInfo]:
    """The models that ship with the package."""
    from xvcodec.families import family_of
    from xvcodec.models.cost import kmac_per_pixel
    from xvcodec.models.weights import load_model, shipped

    rows = []
    for name in shipped():
        model = load_model(name)
        cost = kmac_per_pixel(model.module)
        rows.append(ModelInfo(name, model.path.name, model.hash.hex(), model.parameters, model.path.stat().st_size,
                              cost.encode, cost.decode, family_of(model.module).about.get(name, "")))
    return rows


def export(model: str, folder: str | Path) -> list[Path]:
    """Write the model's ONNX graphs into `folder`; returns their paths."""
    from xvcodec.models.weights import load_model
    from xvcodec.runtime.export import export_graphs

    return export_graphs(load_model(model).module, Path(folder))
