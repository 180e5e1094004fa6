"""xvc: a learned video codec. `encode`, `decode`, `open`, `probe`, `verify` are the whole of everyday use."""

from xvcodec.api import (
    ModelInfo,
    analyse,
    decode,
    encode,
    export,
    list_models,
    open,
    probe,
    set_captions,
    synthesise,
    truncate,
    verify,
)
from xvcodec.options import DecodeOptions, DecodeResult, EncodeOptions, EncodeResult, Progress
from xvcodec.video import Video

__version__ = "0.1.0"

__all__ = ["DecodeOptions", "DecodeResult", "EncodeOptions", "EncodeResult", "ModelInfo", "Progress", "Video", "analyse",
           "decode", "encode", "export", "list_models", "open", "probe", "set_captions", "synthesise", "truncate",
           "verify"]
