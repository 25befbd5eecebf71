"""Where the files in a tar archive are, found by its headers alone.

Python's `tarfile` makes an object of every header and keeps them all, and on damaged archives it
may never end. Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU
tar's manual, "Basic Tar Format", for long names and sizes.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

BLOCK = 512  # bytes
ZEROS = bytes(BLOCK)
MOST_BEHIND = 2**20  # bytes; writers fill up to 10 kB, or what their tapes had
MOST_OF_HEADER = 2**20  # bytes of a long name, or of the records of a pax header
# Links, devices, folders and pipes have no contents, whatever size their headers state.
WITHOUT_CONTENTS = (b"1", b"2", b"3", b"4", b"5", b"6")
FILES = (b"0", b"\0", b"7")
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class TarMember(NamedTuple):
    """Say where the contents of a file in an archive are.

    Attributes:
        name: of the file, with its folders.
        start: of its contents, in bytes from the start of the archive.
        size: of its contents, in bytes.
    """

    name: str
    start: int
    size: int


class _Header(NamedTuple):
    """Hold what matters of a header of 512 bytes."""

    name: bytes
    size: int
    kind: bytes


def tar_members(file: int) -> Iterator[TarMember]:
    """Yield the files in an archive, in order; links and folders are none.

    Args:
        file: descriptor of the open archive.

    Raises:
        ValueError: behind the last intact one, if the archive is damaged, cut off or compressed.
        OSError: if it cannot be read.
    """
    end, place = os.fstat(file).st_size, 0
    stated: dict[bytes, bytes] = {}
    while (block := os.pread(file, BLOCK, place)) != ZEROS:
        if len(block) < BLOCK:
            raise ValueError("it is empty" if not end else "it is cut off: its end mark is missing")
        header = _parsed(block, place)
        place += BLOCK
        if header.kind in WITHOUT_CONTENTS:
            stated = {}
            continue
        is_own = header.kind not in (b"x", b"g", b"L", b"K")
        size = int(stated.get(b"size", header.size)) if is_own else header.size
        if size < 0 or place + size > end:
            raise ValueError(f"it is cut off, or damaged, at byte {place - BLOCK}")
        if is_own:
            if header.kind == b"S" or any(key.startswith(b"GNU.sparse.") for key in stated):
                raise ValueError("it holds a sparse file, which is not supported")
            if header.kind in FILES and not header.name.endswith(b"/"):
                name = stated.get(b"path", header.name)
                yield TarMember(name.decode("utf-8", "surrogateescape"), place, size)
            stated = {}
        elif header.kind in (b"x", b"L"):
            if size > MOST_OF_HEADER:
                raise ValueError(f"it is damaged: a header of {size} bytes at byte {place - BLOCK}")
            contents = os.pread(file, size, place)
            long = {b"path": contents.split(b"\0", 1)[0]}
            stated |= long if header.kind == b"L" else _records(contents, place)
        place += -(-size // BLOCK) * BLOCK
    if end - place > MOST_BEHIND:
        raise ValueError(f"{end - place} bytes stand behind its end mark, where no reader looks")


def _parsed(block: bytes, place: int) -> _Header:
    """Return the header that a block is.

    Raises:
        ValueError: if it is none.
    """
    try:
        total = int(block[148:156].split(b"\0")[0].strip() or b"0", 8)
        raw = block[124:136]
        if raw[0] & 0x80:
            size = int.from_bytes(raw[1:], "big") if raw[0] == 0x80 else -1
        else:
            size = int(raw.split(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        total, size = -1, -1
    # The sum is over a header with spaces in its own place.
    if total != sum(block) - sum(block[148:156]) + 8 * 32 or size < 0:
        if place:
            raise ValueError(f"it is damaged: no header at byte {place}")
        for start, program in COMPRESSED.items():
            if block.startswith(start):
                raise ValueError(
                    f"it is compressed by {program}, so that no row can be read alone: unpack it"
                )
        raise ValueError("it is no tar")
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0" and block[345]:
        name = block[345:500].split(b"\0", 1)[0] + b"/" + name
    return _Header(name, size, block[156:157])


def _records(contents: bytes, place: int) -> dict[bytes, bytes]:
    """Return the records of a pax header, each "length key=value" and the end of a line.

    Raises:
        ValueError: if it holds anything else.
    """
    records, start = {}, 0
    while start < len(contents):
        length, _, rest = contents[start : start + 20].partition(b" ")
        stop = start + int(length) if length.isdigit() and rest else 0
        key, is_equal, value = contents[start + len(length) + 1 : stop].partition(b"=")
        if stop > len(contents) or not is_equal or not value.endswith(b"\n"):
            raise ValueError(f"it is damaged: no pax header at byte {place}")
        records[key] = value[:-1]
        start = stop
    if not records.get(b"size", b"0").isdigit():
        raise ValueError(f"it is damaged: no pax header at byte {place}")
    return records
