"""Where chroma samples lie between luma samples: read from a picture, and told to an encoder.

PyAV has no attribute for it. The encoders' option of libavcodec takes it; to read it, one picture goes through the
filter `showinfo`, whose line of the log names it (`cl:topleft`).
"""

from __future__ import annotations

import re
import threading
from fractions import Fraction

import av
import av.logging
from av.filter import Graph

NAMES = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")
"""FFmpeg's names of AVChromaLocation 0 to 6."""
_guard = threading.Lock()  # the level of the log is one for the whole process


def location_of(picture: av.VideoFrame) -> int:
    """Chroma location of a decoded picture, 0 to 6 as in `VideoInfo`; 0 where nothing is known."""
    with _guard:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            with av.logging.Capture() as lines:  # of this thread alone
                _show(picture)
        except (av.error.FFmpegError, ValueError):
            return 0
        finally:
            av.logging.set_level(level)
    found = re.search(r" cl:(\w+)", " ".join(text for _, _, text in lines))
    return NAMES.index(found[1]) if found and found[1] in NAMES else 0


def _show(picture: av.VideoFrame) -> None:
    graph = Graph()
    source = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format,
                              time_base=picture.time_base or Fraction(1, 1000))
    show, sink = graph.add("showinfo", "checksum=0"), graph.add("buffersink")
    source.link_to(show)
    show.link_to(sink)
    graph.configure()
    graph.push(picture)
    graph.pull()


def option_for(location: int) -> dict[str, str]:
    """The option of any encoder that writes a chroma location; none for 0."""
    return {"chroma_sample_location": NAMES[location]} if 0 < location < len(NAMES) else {}
