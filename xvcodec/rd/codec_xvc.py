"""xvc's own models in a study."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from functools import cache
from importlib.resources import files
from pathlib import Path

import xvcodec
from xvcodec.errors import OutputError, UsageError, XvcError
from xvcodec.media.types import Frame
from xvcodec.options import MAX_CRF, TUNES, DecodeOptions, EncodeOptions

from .clips import Clip
from .codecs import Codec, Coded, Conditions, joined
from .ladder import Scale

_OPTIONS = {"preset": "preset", "tune": "tune", "coder": "coder", "backend": "backend", "device": "device",
            "text-encoder": "text_encoder"}
_OWN = ("text", "steps")
"""Options that do not go to the encoder as they are; steps are those of a generative decoder."""
_CHOICES = {"text": ("own", "none", "other"), "tune": TUNES, "coder": ("constriction", "torchac"),
            "backend": ("auto", "torch", "onnx")}
_CODING = ("codec", "families", "media", "models", "runtime", "text")
"""Packages of xvcodec whose code decides about the bytes."""
_WARM = 6
"""Frames of the warm-up: a key frame, an anchor, frames between, and one more anchor."""


class XvcCodec(Codec):
    """A model, shipped or from a file; `text` says whether clips are coded with their captions, none, or wrong ones."""

    kind = "xvc"
    setting = "crf"

    def __init__(self, model: str, options: dict[str, str], fixed: tuple[float, ...] | None) -> None:
        from xvcodec.models.weights import load_model

        self.name, self.fixed, self._model = joined(model, options), fixed, model
        for key, value in options.items():
            if key not in (*_OPTIONS, *_OWN):
                raise UsageError(f"--codec '{self.name}': a model of xvc has no option '{key}', "
                                 f"but {', '.join([*_OPTIONS, *_OWN, 'crf'])}.")
            if key in _CHOICES and value not in _CHOICES[key]:
                raise UsageError(f"--codec '{self.name}': {key} is one of {', '.join(_CHOICES[key])}.")
        if not options.get("steps", "0").isdecimal():
            raise UsageError(f"--codec '{self.name}': steps is a whole number.")
        self._text = options.get("text", "own")
        self._steps = int(options["steps"]) if "steps" in options else None
        self._options = {_OPTIONS[key]: value for key, value in options.items() if key not in _OWN}
        chosen = EncodeOptions(model=model, preset=self._options.get("preset", "medium")).model_name
        self.version = f"xvc {xvcodec.__version__}, weights {load_model(chosen).hash.hex()[:12]}, code {_code()}"

    def scale(self) -> Scale:
        """0 to 63."""
        return Scale(0.0, MAX_CRF, 26.0, 60.0)

    def suffix(self, clip: Clip) -> str:
        """.xvc"""
        return ".xvc"

    def identity(self, clip: Clip, setting: float, conditions: Conditions) -> dict[str, str]:
        """The caption that goes in."""
        return {"prompt": self._prompt(clip)}

    def check(self, clip: Clip, conditions: Conditions) -> None:
        """Options are checked when they are put together."""
        self._encoding(clip, 32.0, conditions)

    def warm(self, clip: Clip, conditions: Conditions, folder: Path) -> None:
        """Load weights and text encoder, and let the runtime choose its kernels."""
        target = folder / ".warm-up.xvc"
        rate = clip.info.frame_rate
        options = self._encoding(clip, 40.0, conditions, float(_WARM / rate) if rate > 0 and clip.frames > _WARM else None)
        try:
            xvcodec.encode(clip.path, target, options)
            for _ in self.decode(target, clip):
                pass
        finally:
            target.unlink(missing_ok=True)

    def encode(self, clip: Clip, setting: float, target: Path, conditions: Conditions) -> None:
        """Like `xvc encode`, with the caption as its prompt and without audio."""
        done = xvcodec.encode(clip.path, target, self._encoding(clip, setting, conditions, clip.cut))
        if done.frames != clip.frames:
            target.unlink(missing_ok=True)
            raise OutputError(f"{done.frames} frames were coded, but the study takes {clip.frames}: the file's first frame "
                              "has an odd time; convert it to .mp4")

    def decode(self, file: Path, clip: Clip) -> Generator[Frame, None, None]:
        """Like `xvc decode`, to planes."""
        place = {key: self._options[key] for key in ("backend", "device", "text_encoder") if key in self._options}
        model = self._model if self._model.endswith(".safetensors") else None
        options = DecodeOptions(model=model, steps=self._steps, **place)  # type: ignore[arg-type]  # all are strings
        with xvcodec.open(file, options) as video:
            yield from video.frames()

    def inspect(self, file: Path, conditions: Conditions) -> Coded:
        """The file's own index says it."""
        facts = xvcodec.probe(file)
        longest = max((gop["frames"] for gop in facts["gops"]), default=0)
        if longest > conditions.gop:
            raise XvcError(f"it wrote a GOP of {longest} frames, but -g is {conditions.gop}")
        return Coded(facts["video_bytes"], facts["video_bytes"] - sum(gop["bytes"] for gop in facts["gops"]))

    def _encoding(self, clip: Clip, setting: float, conditions: Conditions, duration: float | None = None) -> EncodeOptions:
        return EncodeOptions(crf=setting, model=self._model, gop=conditions.gop, audio=False, duration=duration,
                             prompt=self._prompt(clip), **self._options)  # type: ignore[arg-type]  # all are strings

    def _prompt(self, clip: Clip) -> str:
        return {"own": clip.caption, "none": "", "other": clip.other}[self._text]


@cache
def _code() -> str:
    """A hash of the code that codes: the same weights give other bytes after a change of it."""
    digest = hashlib.sha256()
    for root in [*(Path(str(files("xvcodec"))) / part for part in _CODING), Path(str(files("xvc_bitstream")))]:
        for file in sorted(root.rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:8]
