"""`xvc verify`: checksums, index, and that every symbol of every stream decodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from xvc_bitstream import BitstreamError, Reader

from xvcodec.codec.decode import Decoder
from xvcodec.errors import XvcError
from xvcodec.options import DecodeOptions


@dataclass
class VerifyResult:
    """What `verify` found."""

    problems: list[str] = field(default_factory=list)
    gops: int = 0  # GOPs that decode
    symbols: int = 0  # integers in them

    @property
    def ok(self) -> bool:
        """Whether the file is sound."""
        return not self.problems


def verify(path: str | Path | BinaryIO, model: str | None = None) -> VerifyResult:
    """Check a file without running a floating-point network. Raises only when it is no .xvc file at all."""
    result = VerifyResult()
    with Reader.open(path, strict=False) as reader:
        found = reader.verify()
        try:
            decoder = Decoder(reader, DecodeOptions(ignore_errors=True, model=model, text=False, device="cpu",
                                                    backend="torch"))
            for decoded in decoder.symbols():
                result.gops += 1
                result.symbols += sum(stream.elements for stream in decoded.gop.streams)
            result.problems += decoder.damage
        except (XvcError, BitstreamError) as error:
            result.problems += [*(item.reason for item in found), str(error)]
        if reader.truncated:
            result.problems.append("the file is cut off: its index is missing")
    result.problems = list(dict.fromkeys(result.problems))
    return result
