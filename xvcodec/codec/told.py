"""What a GOP of the crossmodal family says beside its latents: motion, qualities of areas, cuts of patches.

Arrays of a GOP of n chunks, H x W the padded picture: fields [n, 4, 3, H/8, W/8] (xvcodec.codec.fields), qualities
[1 + n, H/32, W/32] (xvcodec.codec.quality_maps), cuts of the key frame [1, H/16, W/16] (xvcodec.codec.cut_maps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xvc_bitstream.errors import DamagedError

from xvcodec.codec.chunks import cut
from xvcodec.codec.closed_loop import ClosedLoop
from xvcodec.codec.coefficient_contexts import Ints
from xvcodec.codec.cut_maps import decode_cuts
from xvcodec.codec.family import PassStream, ReadStream
from xvcodec.codec.field_contexts import COMPONENTS
from xvcodec.codec.field_network import FieldNetwork
from xvcodec.codec.fields import decode_fields, encode_fields
from xvcodec.codec.quality_maps import decode_maps, encode_maps
from xvcodec.codec.shifts import Prices
from xvcodec.models.coder import AREA
from xvcodec.models.crossmodal import BETWEEN, Crossmodal
from xvcodec.models.warp import BLOCK


@dataclass(frozen=True)
class Told:
    """What a GOP says beside its latents. Arrays as in the module's text."""

    frames: int
    fields: Ints  # [n, 4, 3, H/8, W/8]
    levels: Ints  # [1 + n, H/32, W/32]

    @property
    def used(self) -> list[int]:
        """How many frames lie between the anchors of each chunk."""
        return cut(self.frames, len(self.fields))


class Telling(ClosedLoop):
    """The part of a `GopCodec` that writes and reads them."""

    motion = "fields"  # the stream of motion whose first size counts chunks
    module: Crossmodal
    fields: FieldNetwork
    field_prices: Prices

    def told(self, told: Told) -> list[PassStream]:
        """Streams of motion and qualities."""
        levels = told.levels
        qualities = [PassStream("qualities", levels.shape, encode_maps(levels))] if levels.any() else []
        return [*self.encode_motion(told.fields, told.used), *qualities]

    def decode_told(self, frames: int, height: int, width: int, read: ReadStream) -> Told:
        """The inverse of `told`."""
        chunks = read.rows(self.motion) if frames > 1 else 0
        try:
            used = cut(frames, chunks)
        except ValueError as error:
            raise DamagedError(f"{error}: the file is damaged") from None
        levels = np.zeros((1 + chunks, height // AREA, width // AREA), np.int32)
        if read.rows("qualities"):
            with read.passes("qualities", levels.shape) as read_pass:
                levels = decode_maps(levels.shape, read_pass)
        return Told(frames, self.decode_motion((height // BLOCK, width // BLOCK), used, read), levels)

    def encode_motion(self, fields: Ints, used: list[int]) -> list[PassStream]:
        """The streams of a GOP's motion fields [n, 4, 3, h, w]."""
        passes = encode_fields(fields, used, self.fields, self.field_prices)
        return [PassStream("fields", fields.shape, passes, self.fields.tables)]

    def decode_motion(self, vectors: tuple[int, int], used: list[int], read: ReadStream) -> Ints:
        """The inverse, for pictures of `vectors` (height, width)."""
        shape = (len(used), 1 + BETWEEN, COMPONENTS, *vectors)
        with read.passes("fields", shape, self.fields.tables) as read_pass:
            return decode_fields((len(used), *vectors), used, self.fields, read_pass)

    def motion_arrays(self, fields: Ints) -> dict[str, Ints]:
        """Fields by the name of their streams."""
        return {"fields": fields}

    def decode_cuts(self, key: Ints | None, shape: tuple[int, int], read: ReadStream) -> Ints | None:
        """Cuts of the key frame's patches, rows and columns of which are `shape`, where the model has any."""
        if not self.module.config.cuts:
            return None
        with read.passes("key.cuts", (1, *shape)) as read_pass:
            return decode_cuts(None if key is None else key[0], shape, read_pass)[None]
