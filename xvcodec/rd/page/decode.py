"""Pictures of kept streams and sources."""

from __future__ import annotations

from pathlib import Path

from .pictures import Pictures


def decode(file: Path, codec: str | None) -> Pictures:
    """Frames of `file` as uint8 RGB [H, W, 3]; `codec` (its name in the study) gives the weights of an .xvc file."""
    import xvcodec
    from xvcodec.media import open_video, to_rgb

    if file.suffix == ".xvc":
        model = codec.partition(":")[0] if codec else ""
        options = xvcodec.DecodeOptions(model=model if model.endswith(".safetensors") else None)
        with xvcodec.open(file, options) as video:
            yield from video.rgb()
    else:
        with open_video(file, audio=False) as reader:
            for frame in reader.frames():
                yield to_rgb(frame, reader.info)
