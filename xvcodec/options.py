"""What can be asked of encoding and decoding, and what comes back: plain frozen dataclasses, shared with the CLI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from xvcodec.errors import UsageError

DEFAULT_CRF = 32.0
MAX_CRF = 63.0
MAX_STEPS = 64
PRESETS = ("fast", "medium", "slow")
TUNES = ("psnr", "perceptual")


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode. At most one of crf, bitrate, bpp, target_size and target_psnr is given."""

    crf: float | None = None  # quality 0 (best) to 63, any value; 32 when nothing else is given
    bitrate: float | None = None  # bits a second of the video
    bpp: float | None = None  # bits a pixel of the video, container included
    target_size: int | None = None  # bytes of the whole file, audio included
    target_psnr: float | None = None  # dB, mean PSNR-RGB over the frames
    tokens: int | None = None  # most tokens of a GOP, for models that write tokens
    model: str = "crossmodal"  # a shipped model, a .safetensors file, or auto: what serves the rate that is asked for
    preset: str = "medium"  # fast: crossmodal-fast; slow: quality searched per GOP
    tune: str | None = None  # psnr or perceptual (finer where errors are seen); None: what the model is for
    gop: int = 32  # longest GOP in frames
    start: float | None = None  # seconds
    duration: float | None = None  # seconds
    end: float | None = None  # seconds
    audio: bool = True  # copy audio tracks
    coder: str = "constriction"  # entropy coder: constriction or torchac
    backend: str = "auto"  # auto, torch or onnx
    device: str = "auto"  # auto, cpu, cuda or cuda:N
    prompt: str | None = None  # caption over the whole file
    captions: Path | None = None  # WebVTT or SRT file
    language: str | None = None  # of the prompt or the captions; what the file says, else "en"
    text_encoder: str = "default"  # "default" or a folder
    seed: int = 0  # of what a generative decoder draws, 0 to 2^64 - 1
    metadata: dict[str, str] = field(default_factory=dict)
    psnr: bool = False  # report PSNR-RGB
    verify: bool = False  # decode the result before it gets its final name

    def __post_init__(self) -> None:
        targets = {"-crf": self.crf, "-b:v": self.bitrate, "--bpp": self.bpp, "--target-size": self.target_size,
                   "--target-psnr": self.target_psnr, "--tokens": self.tokens}
        given = [flag for flag, value in targets.items() if value is not None]
        if len(given) > 1:
            raise UsageError(f"{given[0]} and {given[1]} exclude each other: give one of them")
        if self.crf is not None and not 0.0 <= self.crf <= MAX_CRF:
            raise UsageError(f"-crf is {self.crf:g}, but goes from 0 (best) to 63")
        for flag, value in targets.items():
            if flag != "-crf" and value is not None and not 0.0 < value < 1e15:
                raise UsageError(f"{flag} must be a positive number")
        if self.preset not in PRESETS:
            raise UsageError(f"-preset {self.preset!r} is not one of {', '.join(PRESETS)}")
        if self.tune not in (None, *TUNES):
            raise UsageError(f"--tune {self.tune!r} is not one of {', '.join(TUNES)}")
        if not 1 <= self.gop <= 1024:
            raise UsageError(f"-g is {self.gop}, but goes from 1 to 1024 frames")
        if not 0 <= self.seed < 1 << 64:
            raise UsageError(f"--seed is {self.seed}, but goes from 0 to 2^64 - 1")
        if self.prompt is not None and self.captions is not None:
            raise UsageError("--prompt and --captions exclude each other: put the prompt into the caption file")

    @property
    def model_name(self) -> str:
        """The model that model and preset together mean."""
        return "crossmodal-fast" if self.preset == "fast" and self.model == "crossmodal" else self.model


@dataclass(frozen=True)
class DecodeOptions:
    """How to decode."""

    start: float | None = None  # seconds
    duration: float | None = None  # seconds
    end: float | None = None  # seconds
    codec: str | None = None  # encoder of the output file, libx264 for mp4
    codec_options: dict[str, str] = field(default_factory=dict)
    prompt: str | None = None  # replaces the captions as guidance
    text: bool = True  # False: decode without guidance
    audio: bool = True  # copy audio tracks out
    model: str | None = None  # weights file, when the shipped ones are not those of the file
    text_encoder: str | None = None  # folder, when the file names one that does not ship
    backend: str = "auto"
    device: str = "auto"
    ignore_errors: bool = False  # conceal damaged GOPs instead of stopping
    drop: tuple[str, ...] = ()  # streams to decode as zeros, to see what they carry
    tokens: int | None = None  # most tokens to use of a GOP, for models that write tokens
    steps: int | None = None  # of a generative decoder; 0: one deterministic pass, None: the model's own number
    seed: int | None = None  # of its noise; the file's own by default

    def __post_init__(self) -> None:
        if self.tokens is not None and self.tokens < 1:
            raise UsageError("--tokens must be at least 1")
        if self.steps is not None and not 0 <= self.steps <= MAX_STEPS:
            raise UsageError(f"--steps is {self.steps}, but goes from 0 to {MAX_STEPS}")
        if self.seed is not None and not 0 <= self.seed < 1 << 64:
            raise UsageError(f"--seed is {self.seed}, but goes from 0 to 2^64 - 1")


@dataclass(frozen=True)
class Progress:
    """Where a job is."""

    frame: int
    total: int | None
    seconds: float  # of media done
    bytes: int  # written so far
    elapsed: float  # wall clock
    quality: float | None  # crf of the last GOP
    stage: str  # analyse, encode, decode or verify


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class EncodeResult:
    """What an encode made."""

    frames: int
    width: int
    height: int
    total_bytes: int  # the whole file
    video_bytes: int  # the whole file without its audio chunks
    bpp: float  # video bits a pixel
    psnr: float | None  # mean PSNR-RGB over frames, dB, when asked for
    seconds: float
    crf_mean: float
    runtime: str  # what ran it, and why
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecodeResult:
    """What a decode made."""

    frames: int
    seconds: float
    damage: tuple[str, ...]
    runtime: str
    warnings: tuple[str, ...] = ()
