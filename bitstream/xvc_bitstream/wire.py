"""Integers, texts and blobs as bytes: little-endian, unsigned LEB128, and nothing ambiguous.

`put_*` append to a bytearray; `Cursor` takes the same things back and turns every surprise into FormatError.
"""

from __future__ import annotations

from .errors import FormatError, UsageError


def put_uint(out: bytearray, value: int) -> None:
    """Append `value` (0 <= value < 2^64) as unsigned LEB128, the shortest form."""
    value = int(value)
    if not 0 <= value < 1 << 64:
        raise UsageError(f"{value} does not fit an unsigned 64-bit field")
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def put_sint(out: bytearray, value: int) -> None:
    """Append a signed integer (-2^63 <= value < 2^63) zigzag coded: 0, -1, 1, -2 become 0, 1, 2, 3."""
    value = int(value)
    put_uint(out, value << 1 if value >= 0 else (-value << 1) - 1)


def put_blob(out: bytearray, data: bytes) -> None:
    """Append the length of `data`, then `data`."""
    put_uint(out, len(data))
    out += data


def put_text(out: bytearray, text: str) -> None:
    """Append `text` as a blob of UTF-8."""
    put_blob(out, text.encode("utf-8"))


class Cursor:
    """Takes fields off the front of `data`; `what` names the thing in error messages."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        self.what = what
        self.position = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes. Raises FormatError when there are fewer."""
        end = self.position + count
        if end > len(self.data):
            raise FormatError(f"{self.what} ends in the middle of a field")
        data = self.data[self.position : end]
        self.position = end
        return bytes(data)

    def fixed(self, size: int) -> int:
        """A little-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def uint(self, cap: int, name: str = "a number") -> int:
        """An unsigned LEB128 integer of at most `cap`; longer forms than needed are refused."""
        value = shift = 0
        while True:
            if self.position >= len(self.data):
                raise FormatError(f"{self.what} ends in the middle of a field")
            byte = self.data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise FormatError(f"{self.what}: {name} is longer than 64 bits")
        if shift and not byte:
            raise FormatError(f"{self.what}: {name} is not written in its shortest form")
        if value > cap:
            raise FormatError(f"{self.what}: {name} is {value}, but at most {cap} is allowed")
        return value

    def sint(self, name: str = "a number") -> int:
        """A zigzag coded integer."""
        value = self.uint((1 << 64) - 1, name)
        return value >> 1 if not value & 1 else -(value + 1 >> 1)

    def blob(self, cap: int, name: str = "a field") -> bytes:
        """Bytes with their length in front, at most `cap` of them."""
        return self.take(self.uint(cap, f"the length of {name}"))

    def text(self, cap: int, name: str = "a text") -> str:
        """UTF-8 with its length in front, at most `cap` bytes."""
        try:
            return self.blob(cap, name).decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError(f"{self.what}: {name} is not valid UTF-8") from None

    def end(self) -> None:
        """Raise FormatError unless everything was taken."""
        if self.position != len(self.data):
            raise FormatError(f"{self.what} has {len(self.data) - self.position} bytes too many")
