"""One predicted picture from a common reference, ours against x264: what entropy coding, transform and motion are worth.

x264 codes a picture at QP 24 and a later one from it at QP 24 to 33, without psychovisual tuning, adaptive quantisation and
macroblock tree. Ours codes the same picture from the same decoded reference, everywhere at one crf. Prints the BD-rate
in PSNR-RGB of that picture alone, its vectors counted, for x264 as it is and with tools switched off: where that shrinks
the distance most, there is most to learn.

    python tools/p_frame_study.py CLIP ... [--model crossmodal-fast] [--apart 1 4] [--at 3 9] [--off subme=1 trellis=0 ...]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray
from xvc_bitstream.coders.base import bits

from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.crossmodal_pass import EncodingPass
from xvcodec.codec.family import Planes
from xvcodec.codec.fields import encode_fields
from xvcodec.codec.measure import psnr_rgb
from xvcodec.codec.planes import to_frames, to_planes
from xvcodec.codec.session import Session
from xvcodec.codec.shifts import shift
from xvcodec.media.types import Frame, VideoInfo
from xvcodec.models.coder import AREA
from xvcodec.models.search import search_forward, step_of
from xvcodec.models.weights import load_model
from xvcodec.rd.bd import Curve, delta
from xvcodec.rd.clips import find

QPS, CRFS = (24, 27, 30, 33), (26.0, 33.0, 40.0, 47.0)
PLAIN = "aq-mode=0:psy=0:mbtree=0"
Point = tuple[float, float]  # bytes, dB


def x264(pair: list[Frame], qp: int, options: str) -> tuple[int, list[Frame]]:
    """Bytes of the second picture, coded at `qp` from the first at QPS[0]; and both decoded."""
    file, sizes = BytesIO(), []
    ratio = 2 ** ((qp - QPS[0]) / 6)  # of the steps of P-frames to those of the key frame
    with av.open(file, "w", format="mp4") as sink:
        params = f"{PLAIN}:ipratio={ratio}{':' * bool(options)}{options}"
        stream = sink.add_stream("libx264", rate=25, options={"qp": str(qp), "bf": "0", "x264-params": params})
        stream.height, stream.width, stream.pix_fmt = *pair[0].y.shape, "yuv420p"
        for frame in [*pair, None]:
            for packet in stream.encode(picture_of(frame) if frame else None):
                sizes.append(packet.size)
                sink.mux(packet)
    with av.open(BytesIO(file.getvalue()), "r") as source:
        return sizes[1], [frame_of(picture, like) for picture, like in zip(source.decode(video=0), pair, strict=True)]


def picture_of(frame: Frame) -> av.VideoFrame:
    """An 8-bit 4:2:0 frame for FFmpeg."""
    stacked = np.concatenate([plane.ravel() for plane in frame.planes]).reshape(-1, frame.y.shape[1])
    return av.VideoFrame.from_ndarray(stacked, format="yuv420p")


def frame_of(picture: av.VideoFrame, like: Frame) -> Frame:
    """The inverse, with everything but the planes as in `like`."""
    flat: NDArray[np.uint8] = np.asarray(picture.to_ndarray(format="yuv420p"), np.uint8).ravel()
    planes = []
    for plane in like.planes:
        planes.append(flat[: plane.size].reshape(plane.shape))
        flat = flat[plane.size :]
    return replace(like, y=planes[0], u=planes[1], v=planes[2])


def ours(session: Session, pair: list[Frame], reference: Frame, info: VideoInfo, crf: float) -> Point:
    """The second picture as an anchor that is predicted from `reference`."""
    codec = session.codec
    assert isinstance(codec, CrossmodalCodec)
    both, known = (to_planes(frames, 8, AREA, torch.device("cpu")) for frames in (pair, [reference]))
    luma, chroma = both.luma[1:].float(), both.chroma[1:].float()
    field = search_forward(luma, known.luma.float(), step_of(crf))
    fields = torch.zeros(1, 4, *field.shape[1:])
    fields[0, 0] = field[0]
    whole = fields.numpy().astype(np.int32)
    quality = np.full((1, luma.shape[-2] // AREA, luma.shape[-1] // AREA), crf, np.float32)
    pass_ = EncodingPass(codec, {"anchor": quality}, session.guidance(""), [0])
    state = (known.luma.float(), known.chroma.float(), fields[:, 0])
    decoded = Planes(*pass_.predicted("anchor", luma, chroma, state)())
    vectors = sum(bits(*each, codec.fields.tables) for each in encode_fields(whole, [0], codec.fields, codec.field_prices))
    rest = sum(bits(*each, codec.tables) for each in shift(pass_.rounder.passes["anchor"], codec.prices))
    frame = to_frames(decoded, [0], [0], info.height, info.width, 8)[0]
    return (vectors + rest) / 8, psnr_rgb(pair[1], frame, info)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, help="8-bit clips of even size")
    parser.add_argument("--model", default="crossmodal-fast")
    parser.add_argument("--apart", type=int, nargs="+", default=[1, 4], help="distances of the two pictures")
    parser.add_argument("--at", type=int, nargs="+", default=[3, 9], help="numbers of the first picture")
    parser.add_argument("--off", nargs="*", default=[], help="options of x264 to compare with, besides its own choice")
    options = parser.parse_args()
    session = Session.open(load_model(options.model), "constriction", None, "torch", "cpu")
    found: dict[str, list[float]] = {}
    for clip in find(options.clips, max(options.at) + max(options.apart) + 1):
        frames = list(clip.read())
        for apart, at in ((apart, at) for apart in options.apart for at in options.at):
            pair = [frames[at], frames[at + apart]]
            reference = x264(pair, QPS[0], "")[1][0]
            with torch.inference_mode():
                points = [ours(session, pair, reference, clip.info, crf) for crf in CRFS]
            mine = Curve.of(*zip(*points, strict=True))
            for tools in ("", *options.off):
                coded = [x264(pair, qp, tools) for qp in QPS]
                quality = [psnr_rgb(pair[1], two, clip.info) for _, (_, two) in coded]
                theirs = Curve.of([size for size, _ in coded], quality)
                found.setdefault(tools, []).append(delta(theirs, mine).rate or float("nan"))
            last = {tools or "x264": round(values[-1], 1) for tools, values in found.items()}
            print(clip.name, apart, at, last, flush=True)
    for tools, values in found.items():
        print(f"against x264 {tools or 'as it is'}: {np.nanmean(values):+.1f} %")


if __name__ == "__main__":
    main()
