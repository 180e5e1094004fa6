"""xvc's own models in a study."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

from xvcodec.errors import InputError, UsageError
from xvcodec.media.types import Frame
from xvcodec.options import PRESETS, DecodeOptions, EncodeOptions

from .clips import Clip
from .codecs import Codec, Coded, Conditions, joined
from .ladder import Scale

_CAPTIONS = ("own", "other", "none")
_VALUES: dict[str, tuple[str, ...]] = {
    "preset": PRESETS, "coder": ("constriction", "torchac"), "backend": ("auto", "torch", "onnx"), "captions": _CAPTIONS,
}


class XvcCodec(Codec):
    """`crossmodal:preset=slow:captions=none`, or a weights file: captions are the clip's own unless it says otherwise."""

    kind = "xvc"
    setting = "crf"

    def __init__(self, name: str, options: dict[str, str], fixed: tuple[float, ...] | None) -> None:
        from xvcodec import __version__
        from xvcodec.models.weights import shipped

        self.name, self.model, self.options, self.fixed = joined(name, options), name, options, fixed
        for key, value in options.items():
            if key != "device" and key not in _VALUES:
                raise UsageError(f"--codec {self.name}: a model has no '{key}', but {', '.join((*_VALUES, 'device'))}.")
            if key in _VALUES and value not in _VALUES[key]:
                raise UsageError(f"--codec {self.name}: {key} is one of {', '.join(_VALUES[key])}.")
        # preset=fast of the general model means the fast model; its weights are what counts
        meant = EncodeOptions(model=name, preset=options.get("preset", "medium")).model_name
        path = Path(meant) if meant.endswith(".safetensors") else shipped()[meant]
        try:
            with open(path, "rb") as file:
                self.weights = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"The weights '{path}' cannot be read ({error.strerror}).") from error
        self.version = f"xvc {__version__}, weights {self.weights[:8]}"

    def scale(self) -> Scale:
        """0..63."""
        return Scale(0, 63, 36, 52)

    def suffix(self, clip: Clip) -> str:
        """The container's."""
        return ".xvc"

    def identity(self, clip: Clip) -> dict[str, str]:
        """The caption guides the decoder, and is in the file."""
        return {"caption": self._caption(clip), "weights": self.weights}

    def check(self, clip: Clip, conditions: Conditions) -> None:
        """Any clip that can be read can be coded."""

    def _caption(self, clip: Clip) -> str:
        return {"own": clip.caption, "other": clip.other, "none": ""}[self.options.get("captions", "own")]

    def encode(self, clip: Clip, setting: float, target: Path, conditions: Conditions) -> None:
        """Write an .xvc without audio."""
        import xvcodec

        own: dict[str, Any] = {key: value for key, value in self.options.items() if key != "captions"}
        # half a frame before the first frame that is left out: no rounding can let it in
        cut = None if clip.cut is None else clip.cut - 0.5 * clip.seconds / clip.frames
        xvcodec.encode(clip.path, target, EncodeOptions(
            crf=setting, model=self.model, gop=conditions.gop, audio=False, duration=cut,
            prompt=self._caption(clip) or None, **own))

    def decode(self, file: Path, clip: Clip) -> Generator[Frame, None, None]:
        """With the weights that wrote it."""
        import xvcodec

        given = {key: self.options[key] for key in ("backend", "device") if key in self.options}
        own = self.model if self.model.endswith(".safetensors") else None
        with xvcodec.open(file, DecodeOptions(model=own, **given)) as video:  # type: ignore[arg-type]
            yield from video.frames()

    def inspect(self, file: Path, conditions: Conditions) -> Coded:
        """From the index of the file."""
        import xvcodec

        facts = xvcodec.probe(file)
        if (far := max((gop["frames"] for gop in facts["gops"]), default=0)) > conditions.gop:
            raise InputError(f"{self.name} made GOPs of {far} frames where {conditions.gop} were asked for.")
        return Coded(facts["video_bytes"], facts["video_bytes"] - sum(gop["bytes"] for gop in facts["gops"]))

    def warm(self, clip: Clip, conditions: Conditions, folder: Path) -> None:
        """Code one frame of the clip, there and back: networks, graphs and text encoder are loaded then."""
        from dataclasses import replace

        file = folder / f"warm{self.suffix(clip)}"
        first = replace(clip, frames=1, seconds=clip.seconds / clip.frames, cut=clip.seconds / clip.frames)
        self.encode(first if clip.frames > 1 else clip, 50.0, file, conditions)
        for _ in self.decode(file, clip):
            pass
