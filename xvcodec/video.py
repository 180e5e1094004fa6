"""`xvcodec.open(path)`: an .xvc file as a Python object."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream import OPEN_END, Caption, Reader, get_coder

from xvcodec.options import DecodeOptions

if TYPE_CHECKING:
    from xvcodec.codec.decode import Decoder
    from xvcodec.media.types import Frame


def describe(reader: Reader) -> dict[str, Any]:
    """What `xvc probe --json` prints: one object, made from header, metadata and index; loads no model."""
    head, entries = reader.header, reader.entries
    base = Fraction(*head.time_base)
    ticks = entries[-1].start_pts + entries[-1].duration - entries[0].start_pts if entries else 0
    frames = sum(entry.frames for entry in entries)
    seconds = float(ticks * base)
    size = reader.size
    return {
        "format_version": "{}.{}".format(*reader.version), "model": head.model, "model_hash": head.model_hash.hex(),
        "coder": get_coder(head.coder).name if head.coder in (1, 2) else head.coder, "text_encoder": head.text_encoder,
        "width": head.width, "height": head.height, "bit_depth": head.bit_depth, "sar": list(head.sar),
        "rotation": head.rotation, "primaries": head.primaries, "transfer": head.transfer, "matrix": head.matrix,
        "full_range": head.full_range, "time_base": list(head.time_base),
        "frames": frames, "duration": round(seconds, 6), "fps": round(frames / seconds, 6) if seconds else 0.0,
        "frame_rate": list(head.frame_rate), "file_bytes": size, "video_bytes": size - reader.audio_bytes,
        "bpp": round(8 * (size - reader.audio_bytes) / (head.width * head.height * frames), 6) if frames else 0.0,
        "audio_tracks": [{"codec": track.codec, "sample_rate": track.sample_rate, "layout": track.layout,
                          "language": track.language, "title": track.title} for track in reader.tracks],
        "captions": [{"start": cue.start_us / 1e6, "end": None if cue.end_us >= OPEN_END else cue.end_us / 1e6,
                      "text": cue.text, "language": cue.language} for cue in reader.captions],
        "chapters": [{"start": chapter.start_us / 1e6, "end": chapter.end_us / 1e6, "title": chapter.title}
                     for chapter in reader.chapters],
        "tags": dict(reader.tags), "truncated": reader.truncated,
        "gops": [{"start_pts": entry.start_pts, "frames": entry.frames, "bytes": entry.size,
                  "crf": entry.quality / 256.0} for entry in entries],
    }


class Video:
    """An open .xvc file. Frames and latents load the model on first use; the rest does not."""

    def __init__(self, source: str | Path | BinaryIO, options: DecodeOptions = DecodeOptions()) -> None:
        self.reader = Reader.open(source, strict=not options.ignore_errors)
        self.options = options

    @property
    def captions(self) -> list[Caption]:
        """The timed cues."""
        return list(self.reader.captions)

    def probe(self) -> dict[str, Any]:
        """The same as `xvc probe --json`."""
        return describe(self.reader)

    def _decoder(self) -> Decoder:
        from xvcodec.codec.decode import Decoder

        return Decoder(self.reader, self.options)

    def frames(self) -> Iterator[Frame]:
        """Decoded frames in order: planes y [H, W], u and v [H/2, W/2] (rounded up), uint8 or uint16 (10 bit)."""
        return self._decoder().frames()

    def rgb(self) -> Iterator[NDArray[np.uint8]]:
        """Decoded frames as uint8 [H, W, 3], converted with the file's matrix and range."""
        from xvcodec.media import to_rgb

        decoder = self._decoder()
        return (to_rgb(frame, decoder.info) for frame in decoder.frames())

    def integers(self) -> Iterator[dict[str, NDArray[np.int32]]]:
        """Every GOP's integers by the name of their stream, as they are in the file."""
        decoder = self._decoder()
        return (decoder.session.codec.integers(decoded.symbols) for decoded in decoder.symbols())

    def latents(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Every GOP's latents by name, as the decoder has them.

        crossmodal-latent: "latent", float32 [1 + n, 16, ceil(H / 8), ceil(W / 8)], about unit variance a channel: the first
        stands for the GOP's first frame, each further one for the four frames that follow (the last perhaps for fewer).
        crossmodal, crossmodal-fast, hivae: the integers by stream ("key.y", "anchor.y", ...; docs/crossmodal-streams.md and
        docs/hivae-streams.md): in a closed loop latents mean nothing without the pictures before.
        """
        decoder = self._decoder()
        for decoded in decoder.symbols():
            yield decoder.session.codec.latents(decoded.symbols, decoded.gop.quality / 256.0, decoder.guide(decoded.gop),
                                                decoder.info.height, decoder.info.width)

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
