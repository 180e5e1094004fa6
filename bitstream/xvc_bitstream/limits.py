"""Every cap of the format in one place. Readers check these before they allocate anything.

A file is a stranger's until it is parsed: without caps, forty bytes could ask for a terabyte.
"""

from __future__ import annotations

# Picture. 16384 is what the largest hardware codecs take; 2^26 pixels are 8K twice over.
MAX_SIDE = 16384
MAX_PIXELS = 1 << 26

# Time. Timestamps stay inside 62 bits so that sums of two never leave a signed 64-bit integer.
MAX_PTS = (1 << 62) - 1
MAX_DURATION = 1 << 40  # one frame, one packet: 2^40 ticks are 12 days even at a microsecond
MAX_RATE = (1 << 31) - 1  # numerators and denominators fit an AVRational

# GOPs. 1024 frames is half a minute; longer GOPs would make seeking and damage too costly.
MAX_GOP_FRAMES = 1024
MAX_STREAMS = 64
MAX_RANK = 8
MAX_ELEMENTS = 1 << 29  # int32 symbols of one stream: 2 GiB, more than any sane GOP has
MAX_QUALITY = 63 * 256  # crf in 1/256 steps
MAX_SEED = (1 << 64) - 1
MAX_GOP_HEAD = (1 << 16) - 1  # its length is a uint16
MAX_NAME = 32  # a stream's name

# Chunks. 2^31 is far above any real GOP; the number of chunks bounds the memory that listing them takes.
MAX_CHUNK = 1 << 31
MAX_CHUNKS = 1 << 22
MAX_GOPS = 1 << 20

# Metadata, after decompression (a 20 kB zstandard frame can unpack to 600 MB).
MAX_METADATA = 1 << 24
MAX_INDEX = 1 << 26
MAX_CAPTIONS = 1 << 16
MAX_CAPTION_BYTES = 1 << 14
MAX_TAGS = 4096
MAX_TAG_KEY = 256
MAX_TAG_VALUE = 1 << 16
MAX_CHAPTERS = 4096
MAX_TITLE = 1024
MAX_LANGUAGE = 35  # the longest well-formed BCP 47 tag that RFC 5646 asks readers to hold
MAX_POSTER = 1 << 25
MAX_MIME = 64
MAX_MODEL_NAME = 64

# Audio. The packet cap holds minutes of uncompressed PCM.
MAX_TRACKS = 64
MAX_EXTRADATA = 1 << 20
MAX_CODEC_NAME = 32
MAX_LAYOUT = 128
MAX_PACKETS = 1 << 16  # in one chunk
MAX_PACKET = 1 << 26

# Entropy tables. The index is one byte; 4096 symbols still leave 16 counts each of the 65536.
MAX_TABLES = 256
MAX_SYMBOLS = 4096

# Damage. Places that only look like a GOP cost time; a file made of them must not cost hours.
MAX_RESYNC_TRIES = 4096
