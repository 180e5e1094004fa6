"""Both entropy decoders in plain Python integers, written from SPEC.md alone: slow, short, independent."""

from __future__ import annotations

import bisect


def leb128(data: bytes, position: int) -> tuple[int, int]:
    """(value, position behind it)."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def decode(coder: int, data: bytes, index: list[int], cdf: list[list[int]], lowest: int) -> list[int]:
    """Symbols of a payload of coder 1 (torchac) or 2 (constriction)."""
    if not index:
        return []
    length, position = leb128(data, 0)
    section, body = data[position : position + length], data[position + length :]
    entries = ans(body, index, cdf) if coder == 2 else arithmetic(body, index, cdf)
    escape = len(cdf[0]) - 2
    highest, place, symbols = lowest + escape - 1, 0, []
    for entry in entries:
        if entry < escape:
            symbols.append(lowest + entry)
        else:
            code, place = leb128(section, place)
            symbols.append(lowest - 1 - (code >> 1) if code & 1 else highest + 1 + (code >> 1))
    assert place == len(section)
    return symbols


def ans(body: bytes, index: list[int], cdf: list[list[int]]) -> list[int]:
    """Table entries, from a stack of 32-bit words."""
    body += bytes(-len(body) % 4)
    words = [int.from_bytes(body[i : i + 4], "little") for i in range(0, len(body), 4)]
    state = 0
    while words and state < 1 << 32:
        state = state << 32 | words.pop()
    entries = [0] * len(index)
    for place in sorted(range(len(index)), key=lambda i: index[i]):
        row = cdf[index[place]]
        quantile = state & 0xFFFFFF
        entry = bisect.bisect_right(row, quantile >> 8) - 1
        low, high = row[entry] << 8, row[entry + 1] << 8
        state = (state >> 24) * (high - low) + quantile - low
        if state < 1 << 32 and words:
            state = state << 32 | words.pop()
        entries[place] = entry
    assert state == 0
    assert not words
    return entries


def arithmetic(body: bytes, index: list[int], cdf: list[list[int]]) -> list[int]:
    """Table entries, slice by slice, from a binary arithmetic code."""
    step = (1 << 24) // len(cdf[0])
    entries: list[int] = []
    position = 0
    for start in range(0, len(index), step):
        length, position = leb128(body, position)
        bits = int.from_bytes(body[position : position + length] + bytes(4), "big")
        count = 8 * (length + 4)
        position += length
        low, high, used = 0, 0xFFFFFFFF, 32
        value = bits >> count - 32
        for table in index[start : start + step]:
            row = cdf[table]
            span = high - low + 1
            entry = bisect.bisect_right(row, (((value - low + 1) << 16) - 1) // span) - 1
            entries.append(entry)
            low, high = low + (span * row[entry] >> 16), low + (span * row[entry + 1] >> 16) - 1
            while True:
                if high < 1 << 31 or low >= 1 << 31:
                    pass
                elif low >= 1 << 30 and high < 3 << 30:
                    low, high, value = low - (1 << 30), high - (1 << 30), value - (1 << 30)
                else:
                    break
                bit = bits >> count - 1 - used & 1 if used < count else 0
                used += 1
                low, high, value = (x << 1 & 0xFFFFFFFF for x in (low, high, value))
                high, value = high | 1, value | bit
    return entries
