"""Real video files in and out: decoding to YUV 4:2:0 planes, encoding, audio packets and captions, colour."""

from .convert import from_rgb, to_rgb
from .reader import VideoReader, open_video
from .sink import VideoWriter
from .synth import synthesise
from .types import Frame, VideoInfo
from .writer import open_writer

__all__ = ["Frame", "VideoInfo", "VideoReader", "VideoWriter", "from_rgb", "open_video", "open_writer", "synthesise",
           "to_rgb"]
