"""Make an av audio stream for packets that already exist, from nothing but an `AudioTrack`.

PyAV copies streams only from an open input: an encoder of the same codec would invent its own header and delay, and a
stream without a codec context cannot carry a channel layout. So a Matroska file of one empty track is composed in
memory (150 bytes), opened, and taken as the template. Nothing has to be known about the first packet.
"""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
from av.container import OutputContainer
from xvc_bitstream.records import AudioTrack

from xvcodec.errors import OutputError

from .captions import language_code

# FFmpeg's codec name -> Matroska CodecID; PCM adds its bits a sample, ACM a WAVEFORMATEX, QUICKTIME a fourcc.
_MATROSKA = {
    "aac": "A_AAC", "mp2": "A_MPEG/L2", "mp3": "A_MPEG/L3", "opus": "A_OPUS", "vorbis": "A_VORBIS", "flac": "A_FLAC",
    "ac3": "A_AC3", "eac3": "A_EAC3", "dts": "A_DTS", "truehd": "A_TRUEHD", "mlp": "A_MLP", "alac": "A_ALAC",
    "tta": "A_TTA1", "wavpack": "A_WAVPACK4",
}  # fmt: skip
_WAVE_TAG = {
    "pcm_alaw": 6, "pcm_mulaw": 7, "adpcm_ms": 2, "adpcm_ima_wav": 0x11, "wmav1": 0x160, "wmav2": 0x161,
    "wmapro": 0x162, "wmalossless": 0x163, "gsm_ms": 0x31, "g723_1": 0x42, "atrac3": 0x270,
}  # fmt: skip
_FOURCC = {"amr_nb": b"samr", "amr_wb": b"sawb", "qdm2": b"QDM2", "qdmc": b"QDMC", "mace3": b"MAC3", "mace6": b"MAC6",
           "adpcm_ima_qt": b"ima4"}  # fmt: skip
# Matroska's PCM tells only a count, and mp4 wants an arrangement.
_USUAL = {"1 channels": "mono", "2 channels": "stereo", "6 channels": "5.1", "8 channels": "7.1"}


def add_audio(container: OutputContainer, track: AudioTrack) -> av.AudioStream:
    """Add a stream to `container` that takes the packets of `track` as they are; raises OutputError."""
    with av.open(io.BytesIO(_matroska(track)), "r", format="matroska") as template:
        source = template.streams.audio
        if not source or source[0].codec_context is None:
            raise OutputError(f"Audio of the kind '{track.codec}' cannot be written; use -an to leave it out.")
        try:
            stream = container.add_stream_from_template(source[0])
        except ValueError as error:
            where = container.format.name
            raise OutputError(
                f"A {where} file cannot hold '{track.codec}' audio; write .mkv, or use -an to leave the audio out."
            ) from error
    context = stream.codec_context
    context.sample_rate = track.sample_rate
    context.extradata = track.extradata or None
    if track.bit_rate:
        context.bit_rate = track.bit_rate
    try:
        context.layout = _USUAL.get(track.layout, track.layout)
    except ValueError:
        pass  # "3 channels": a count without an arrangement, which the template already has
    stream.time_base = Fraction(*track.time_base)
    stream.metadata["language"] = language_code(track.language)
    if track.title:
        stream.metadata["title"] = track.title
    return stream


def audio_packet(stream: av.AudioStream, track: AudioTrack, pts: int | None, dts: int | None, duration: int,
                 data: bytes, keyframe: bool) -> av.Packet:  # fmt: skip
    """An av packet for `stream` with times in ticks of the track's time base."""
    packet = av.Packet(data)
    packet.stream = stream
    packet.time_base = Fraction(*track.time_base)
    packet.pts, packet.dts = (pts if pts is not None else dts), (dts if dts is not None else pts)
    packet.duration = duration
    packet.is_keyframe = keyframe
    return packet


def _element(identity: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 0x7F else struct.pack(">I", 0x10000000 | size)
    return identity.to_bytes((identity.bit_length() + 7) // 8, "big") + length + payload


def _number(identity: int, value: int) -> bytes:
    return _element(identity, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _codec(track: AudioTrack, channels: int) -> tuple[str, bytes, int]:
    """(Matroska CodecID, CodecPrivate, bits a sample) of a track."""
    name = track.codec
    if name in _MATROSKA:
        return _MATROSKA[name], b"", 0
    if name.startswith("pcm_") and name[4] in "suf" and name.rstrip("lbe")[5:].isdigit():
        bits = int(name.rstrip("lbe")[5:])
        kind = "A_PCM/FLOAT/IEEE" if name[4] == "f" else "A_PCM/INT/BIG" if name.endswith("be") else "A_PCM/INT/LIT"
        return kind, b"", bits
    if name in _WAVE_TAG:
        extra = track.extradata
        wave = struct.pack("<HHIIHHH", _WAVE_TAG[name], channels, track.sample_rate, 0, 1, 0, len(extra))
        return "A_MS/ACM", wave + extra, 0
    if name in _FOURCC:
        return "A_QUICKTIME", struct.pack(">I", 36) + _FOURCC[name] + bytes(28), 0
    raise OutputError(f"Audio of the kind '{name}' cannot be written; use -an to leave it out.")


def _matroska(track: AudioTrack) -> bytes:
    try:
        channels = av.AudioLayout(track.layout).nb_channels
    except ValueError:
        count = track.layout.split(" ")[0]
        channels = int(count) if count.isdigit() and 0 < int(count) < 256 else 2
    codec, private, bits = _codec(track, channels)
    audio = _element(0xB5, struct.pack(">d", track.sample_rate)) + _number(0x9F, channels)
    audio += _number(0x6264, bits) if bits else b""
    entry = _number(0xD7, 1) + _number(0x73C5, 1) + _number(0x83, 2) + _element(0x86, codec.encode())
    entry += (_element(0x63A2, private) if private else b"") + _element(0xE1, audio)
    info = _element(0x1549A966, _number(0x2AD7B1, 1_000_000))
    cluster = _element(0x1F43B675, _number(0xE7, 0))  # without one the demuxer waits for it until the end
    segment = info + _element(0x1654AE6B, _element(0xAE, entry)) + cluster
    return _element(0x1A45DFA3, _element(0x4282, b"matroska")) + _element(0x18538067, segment)
