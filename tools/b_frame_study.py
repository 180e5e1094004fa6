"""Three frames between two common references, ours against x264's B-frames: what prediction from both sides is worth.

x264 codes five frames as I B B B P, the outer two at QP 24 and those between at QP 33 to 45, without psychovisual tuning,
adaptive quantisation and macroblock tree. Ours codes the frames between from the same decoded outer ones, everywhere at one
crf. Prints bytes and mean PSNR-RGB of the three frames, in brackets the bytes of our vectors, and the BD-rate.

    python tools/b_frame_study.py CLIP ... [--model crossmodal-fast] [--at 3 15] [--options b-pyramid=none]
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import torch
from p_frame_study import PLAIN, frame_of, picture_of
from xvc_bitstream.coders.base import bits
from xvc_bitstream.tables import TableSet

from xvcodec.codec.chunks import shares
from xvcodec.codec.crossmodal import CrossmodalCodec
from xvcodec.codec.crossmodal_pass import EncodingPass
from xvcodec.codec.family import Planes
from xvcodec.codec.fields import encode_fields
from xvcodec.codec.measure import psnr_rgb
from xvcodec.codec.planes import to_frames, to_planes
from xvcodec.codec.session import Session
from xvcodec.codec.shifts import Pass, shift
from xvcodec.media.types import Frame, VideoInfo
from xvcodec.models.coder import AREA
from xvcodec.models.crossmodal import BETWEEN
from xvcodec.models.search import search_between, search_forward, step_of
from xvcodec.models.weights import load_model
from xvcodec.rd.bd import Curve, delta
from xvcodec.rd.clips import find

OUTER, QPS, CRFS = 24, (33, 37, 41, 45), (42.0, 51.0, 60.0, 63.0)
Point = tuple[float, float, float]  # bytes, dB, bytes of vectors


def x264(frames: list[Frame], qp: int, options: str) -> tuple[float, list[Frame]]:
    """Bytes of the frames between the first and the last, coded at `qp`; and all decoded."""
    file, sizes = BytesIO(), {}
    params = f"{PLAIN}:ipratio=1:pbratio={2 ** ((qp - OUTER) / 6)}:b-adapt=0:bframes={BETWEEN}{':' * bool(options)}{options}"
    with av.open(file, "w", format="mp4") as sink:
        stream = sink.add_stream("libx264", rate=25, options={"qp": str(OUTER), "x264-params": params})
        stream.height, stream.width, stream.pix_fmt = *frames[0].y.shape, "yuv420p"
        for number, frame in enumerate([*frames, None]):
            picture = picture_of(frame) if frame else None
            if picture:
                picture.pts = number
            for packet in stream.encode(picture):
                sizes[packet.pts] = packet.size
                sink.mux(packet)
    with av.open(BytesIO(file.getvalue()), "r") as source:
        decoded = [frame_of(picture, like) for picture, like in zip(source.decode(video=0), frames, strict=True)]
    return sum(size for _, size in sorted(sizes.items())[1:-1]), decoded


def ours(session: Session, frames: list[Frame], outer: list[Frame], info: VideoInfo, crf: float) -> Point:
    """The frames between, predicted from the decoded `outer` ones."""
    codec = session.codec
    assert isinstance(codec, CrossmodalCodec)
    planes, known = (to_planes(each, 8, AREA, torch.device("cpu")) for each in (frames, outer))
    luma, chroma, step = planes.luma.float(), planes.chroma.float(), step_of(crf)
    anchor = search_forward(luma[-1:], luma[:1], step)
    fields = torch.zeros(1, 1 + BETWEEN, *anchor.shape[1:])
    fields[0, 0] = anchor[0]
    straight = fields.clone()
    for slot, share in enumerate(shares(BETWEEN)):
        middle = luma[1 + slot : 2 + slot]
        fields[0, 1 + slot] = search_between(middle, luma[:1], luma[-1:], anchor[:, :2], share, step)[0]
    quality = np.full((1, luma.shape[-2] // AREA, luma.shape[-1] // AREA), crf, np.float32)
    pass_ = EncodingPass(codec, {"between": quality}, session.guidance(""), [BETWEEN])
    pass_.rounder.latents["anchor"] = [np.zeros((codec.module.anchor.latents, *anchor.shape[-2:]), np.int32)]
    state = [each[place] for place in (slice(1), slice(1, 2)) for each in (known.luma.float(), known.chroma.float())]
    places = torch.tensor([shares(BETWEEN)])
    decoded = Planes(*pass_.predicted("between", luma[1:-1], chroma[1:-1], (*state, fields, places))())

    def spent(passes: list[Pass], tables: TableSet) -> float:
        return sum(bits(*each, tables) for each in passes) / 8

    with_them, without = (spent(encode_fields(each.numpy().astype(np.int32), [BETWEEN], codec.fields, codec.field_prices),
                                codec.fields.tables) for each in (fields, straight))
    vectors = with_them - without
    shown = to_frames(decoded, [0] * BETWEEN, [0] * BETWEEN, info.height, info.width, 8)
    rest = spent(shift(pass_.rounder.passes["between"], codec.prices), codec.tables)
    return vectors + rest, _quality(frames[1:-1], shown, info), vectors


def _quality(frames: list[Frame], shown: list[Frame], info: VideoInfo) -> float:
    return float(np.mean([psnr_rgb(one, two, info) for one, two in zip(frames, shown, strict=True)]))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, help="8-bit clips of even size")
    parser.add_argument("--model", default="crossmodal-fast")
    parser.add_argument("--at", type=int, nargs="+", default=[3, 15], help="numbers of the first of the five frames")
    parser.add_argument("--options", default="", help="more options of x264")
    given = parser.parse_args()
    session = Session.open(load_model(given.model), "constriction", None, "torch", "cpu")
    rates = []
    for clip in find(given.clips, max(given.at) + BETWEEN + 2):
        frames = list(clip.read())
        for at in given.at:
            five = frames[at : at + BETWEEN + 2]
            theirs, outer = [], list[Frame]()
            for qp in QPS:
                size, decoded = x264(five, qp, given.options)
                outer = outer or [decoded[0], decoded[-1]]
                theirs.append((size, _quality(five[1:-1], decoded[1:-1], clip.info)))
            with torch.inference_mode():
                mine = [ours(session, five, outer, clip.info, crf) for crf in CRFS]
            reference, test = (Curve.of(*list(zip(*points, strict=True))[:2]) for points in (theirs, mine))
            rates.append(delta(reference, test).rate)
            print(clip.name, at, "x264", *(f"{size:.0f}: {quality:.2f}" for size, quality in theirs))
            print(clip.name, at, "ours", *(f"{size:.0f} ({vectors:.0f}): {quality:.2f}" for size, quality, vectors in mine))
            print(clip.name, at, "no overlap" if rates[-1] is None else f"{rates[-1]:+.0f} %", flush=True)
    known = [rate for rate in rates if rate is not None]
    print(f"mean of those that overlap: {np.mean(known):+.1f} %" if known else "none overlap")


if __name__ == "__main__":
    main()
