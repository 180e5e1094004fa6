"""What is remembered of a decoded stream: a hash of its integers, and samples of its pictures. Also used by
tools/make_vectors.py, so that what is written is what is compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xvc_bitstream import Gop, Reader, get_coder

from xvcodec.codec.entropy import StreamReader
from xvcodec.codec.guidance import Guidance, text_between
from xvcodec.codec.planes import padded_size, to_frames
from xvcodec.codec.session import Session
from xvcodec.families import family_of
from xvcodec.media import Frame
from xvcodec.models.weights import LoadedModel, load_for
from xvcodec.runtime.base import Runtime
from xvcodec.text.load import text_encoder_by_id

INDEX = "codec_v1.json"
EVERY = 5
"""Every fifth sample of every fifth row is remembered."""


def session_for(reader: Reader, runtime: Runtime, model: LoadedModel) -> Session:
    """A session for an open file on a given runtime."""
    text = text_encoder_by_id(reader.header.text_encoder)
    guidance = Guidance(text, model.module.config.text, runtime.device)
    return Session(model, family_of(model.module).codec(model, runtime), runtime, get_coder(reader.header.coder), guidance)


def model_of(path: Path) -> LoadedModel:
    """The model that a stream names; raises ModelError when it is not the shipped one."""
    with Reader.open(path) as reader:
        return load_for(reader.header.model, reader.header.model_hash)


def symbols_of(session: Session, reader: Reader, gop: Gop) -> Any:
    """Every integer of a GOP."""
    read = StreamReader(gop, session.coder, session.model.tables)
    size = padded_size(reader.header.height, reader.header.width, session.codec.requirements.multiple_of)
    return session.codec.decode_symbols(len(gop.pts), *size, gop.quality / 256.0, read)


def digest(symbols: list[dict[str, NDArray[np.int32]]]) -> str:
    """SHA-256 over names, shapes and values (int32, little endian) of all streams of all GOPs."""
    state = hashlib.sha256()
    for gop in symbols:
        for name, array in sorted(gop.items()):
            state.update(f"{name} {array.shape} ".encode())
            state.update(np.ascontiguousarray(array, "<i4").tobytes())
    return state.hexdigest()


def pictures(session: Session, reader: Reader, symbols: list[Any]) -> list[Frame]:
    """Every frame, rounded, with the file's own captions as guidance."""
    head, frames = reader.header, []
    for gop, integers in zip(reader.gops(), symbols, strict=True):
        micro = 1_000_000 * head.time_base[0] / head.time_base[1]
        text = text_between(reader.captions, int(gop.pts[0] * micro), int((gop.pts[-1] + gop.duration) * micro))
        at = 0
        for planes in session.codec.reconstruct(integers, gop.quality / 256.0, session.guidance(text)):
            pts = gop.pts[at : at + planes.luma.shape[0]]
            frames += to_frames(planes, pts, [0] * len(pts), head.height, head.width, head.bit_depth)
            at += len(pts)
    return frames


def samples(frame: Frame) -> NDArray[np.int64]:
    """What is remembered of a frame's planes, one after the other."""
    return np.concatenate([plane[::EVERY, ::EVERY].ravel() for plane in frame.planes]).astype(np.int64)


def facts(path: Path, runtime: Runtime, model: LoadedModel) -> dict[str, Any]:
    """Everything the index says about a stream."""
    with Reader.open(path) as reader:
        session = session_for(reader, runtime, model)
        symbols = [symbols_of(session, reader, gop) for gop in reader.gops()]
        frames = pictures(session, reader, symbols)
        planes = hashlib.sha256(b"".join(plane.tobytes() for frame in frames for plane in frame.planes)).hexdigest()
        return {
            "file": hashlib.sha256(path.read_bytes()).hexdigest(), "model": reader.header.model,
            "model_hash": reader.header.model_hash.hex(), "bit_depth": reader.header.bit_depth,
            "pts": [frame.pts for frame in frames],
            "symbols": digest([session.codec.integers(gop) for gop in symbols]), "planes": planes,
            "samples": [samples(frame).tolist() for frame in frames],
        }
