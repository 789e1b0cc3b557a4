"""What a video's container says of its own size, compared with the file: a cut file, or one with a
hole, is refused.

FFmpeg reads what is left of such a file without an error, so it would pass as a shorter clip. Only
the outer structure is read here: sizes and signatures, no frames. MPEG program streams and raw
streams state nothing that could be compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bench.errors import DataError
from bench.files.source_file import AGAIN

# ISO/IEC 14496-12 and QuickTime: boxes of the outermost level. Anything else behind them is
# somebody's appendix.
MP4_BOXES = frozenset(
    b"ftyp styp moov moof mdat mfra free skip wide pnot uuid sidx ssix meta udta pdin emsg prft".split()
)
# RFC 9559 (Matroska), RFC 8794 (EBML). Children of segments and clusters are looked at, those of
# others are not.
EBML_HEADER, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
EBML_OTHERS = frozenset(
    (
        # SeekHead, Info, Tracks, Cues, Attachments, Chapters, Tags; Void and CRC-32
        *(
            0x114D9B74,
            0x1549A966,
            0x1654AE6B,
            0x1C53BB6B,
            0x1941A469,
            0x1043A770,
            0x1254C367,
            0xEC,
            0xBF,
        ),
        # of a cluster: Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, BlockGroup,
        # EncryptedBlock
        *(0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF),
    )
)
# Advanced Systems Format specification, 3.1, 3.2, 5.1: GUIDs as they are stored.
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
ASF_PACKET = 0x82
"""The first byte of every data packet: two bytes of error correction data follow."""
# AVI RIFF file reference, AVIOLDINDEX.
AVI_INDEX = np.dtype([("kind", "S4"), ("flags", "<u4"), ("offset", "<u4"), ("length", "<u4")])
# ISO/IEC 13818-1: packets of 188 bytes; with a time stamp before (Blu-ray), or a checksum behind
# each (DVB).
TS_PACKETS = ((188, 0), (192, 4), (204, 0))
TS_SYNC = 0x47
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits the other way round."""


def refuse_incomplete(path: Path, where: str) -> None:
    """Compare the sizes that a container states with the file.

    Raises
    ------
    DataError : the file ends before its container does, or there is something else where a part of
        it should begin.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(32)
        check = _check_for(start)
        if check is not None:
            check(file, size, where)
        elif start[:1] == b"\x47" or start[4:5] == b"\x47":
            _check_ts(path, size, where)


def indexed_frames(path: Path) -> int:
    """Return the frames with content that an AVI's index (`idx1`) lists for its first video stream;
    0 where there is none.
    """
    with path.open("rb") as file:
        if _read(file, 0, 12)[8:] != b"AVI ":
            return 0
        position = 12
        while len(header := _read(file, position, 8)) == 8:
            kind, length = header[:4], int.from_bytes(header[4:], "little")
            if kind == b"idx1":
                entries = np.frombuffer(file.read(length // 16 * 16), dtype=AVI_INDEX)
                kinds = entries["kind"]
                frames = kinds[np.char.endswith(kinds, b"dc") | np.char.endswith(kinds, b"db")]
                return (
                    int(((kinds == frames[0]) & (entries["length"] > 0)).sum())
                    if len(frames)
                    else 0
                )
            position += 8 + length + length % 2
    return 0


_Check = Callable[[BinaryIO, int, str], None]


def _check_for(start: bytes) -> _Check | None:
    if start[:4] == b"RIFF":
        return _check_avi
    if start[4:8] in MP4_BOXES:
        return _check_mp4
    if int.from_bytes(start[:4], "big") == EBML_HEADER:
        return _check_matroska
    if start[:16] == ASF_HEADER:
        return _check_asf
    if start[:3] == b"FLV":
        return _check_flv
    return _check_ogg if start[:4] == b"OggS" else None


def _check_avi(file: BinaryIO, size: int, where: str) -> None:
    position = 0
    while len(header := _read(file, position, 8)) == 8:
        length = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or length in (
            0,
            0xFFFFFFFF,
        ):  # 0, -1: a writer that did not come back to fill it in
            return
        _refuse_beyond(position + 8 + length, size, where)
        position += 8 + length + length % 2


def _check_mp4(file: BinaryIO, size: int, where: str) -> None:
    position, fragmented = 0, False
    while header := _read(file, position, 16):
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if kind not in MP4_BOXES:
            # Cameras append padding and records of their own; behind fragments it is where the next
            # one should begin.
            if fragmented:
                raise _damaged(position, "box", where)
            return
        if length == 0:  # up to the end of the file
            return
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        fragmented = fragmented or kind == b"moof"
        _refuse_beyond(position + max(length, 8), size, where)
        position += max(length, 8)


def _check_matroska(file: BinaryIO, size: int, where: str) -> None:
    position, stop = 0, size
    while position < stop:
        element = _ebml(_read(file, position, 12))
        if element is None:
            if size - position < 12:
                _refuse_beyond(size + 1, size, where)
            raise _damaged(position, "element", where)
        kind, start, length = element
        if kind not in EBML_OTHERS and kind not in (EBML_HEADER, SEGMENT, CLUSTER):
            raise _damaged(position, "element of Matroska", where)
        position += start
        if length is not None:
            _refuse_beyond(position + length, size, where)
        if kind == SEGMENT and length is not None:
            stop = position + length  # what follows is somebody's appendix
        if kind not in (SEGMENT, CLUSTER):
            if length is None:
                raise _damaged(position - start, "element", where)
            position += length


def _ebml(header: bytes) -> tuple[int, int, int | None] | None:
    """Return an element's ID, the bytes before its data and the bytes of its data (None: unknown);
    None where there is no element.
    """
    if not header or header[0] < 0x10:
        return None
    first = 9 - header[0].bit_length()
    if len(header) <= first or not header[first]:
        return None
    width = 9 - header[first].bit_length()
    if len(header) < first + width:
        return None
    length = int.from_bytes(header[first : first + width], "big") - (1 << 7 * width)
    unknown = length == (1 << 7 * width) - 1
    return int.from_bytes(header[:first], "big"), first + width, None if unknown else length


def _check_asf(file: BinaryIO, size: int, where: str) -> None:
    header = _read(file, 0, 24)
    begin = int.from_bytes(header[16:24], "little")
    position, packet, broadcast = 30, 0, True
    while position < begin and len(part := _read(file, position, 104)) >= 24:
        if part[:16] == ASF_PROPERTIES and len(part) == 104:
            broadcast = bool(part[88] & 1)
            smallest, largest = (
                int.from_bytes(part[92:96], "little"),
                int.from_bytes(part[96:100], "little"),
            )
            packet = smallest if smallest == largest else 0
        position += max(24, int.from_bytes(part[16:24], "little"))
    data = _read(file, begin, 50)
    if len(data) < 50:
        _refuse_beyond(begin + 50, size, where)
    length, packets = int.from_bytes(data[16:24], "little"), int.from_bytes(data[40:48], "little")
    if broadcast or data[:16] != ASF_DATA or not length:  # a live stream states no sizes
        return
    _refuse_beyond(begin + length, size, where)
    if (
        packet
        and 50 + packets * packet <= length
        and _read(file, begin + 50, 1) == bytes([ASF_PACKET])
    ):
        for number in range(packets):
            if _read(file, begin + 50 + number * packet, 1) != bytes([ASF_PACKET]):
                raise _damaged(begin + 50 + number * packet, "packet", where)


def _check_flv(file: BinaryIO, size: int, where: str) -> None:
    position = int.from_bytes(_read(file, 5, 4), "big") + 4
    while header := _read(file, position, 11):
        if len(header) < 11:
            _refuse_beyond(position + 11, size, where)
        length = int.from_bytes(header[1:4], "big")
        if header[0] & 0x1F not in (8, 9, 18):  # audio, video, data
            raise _damaged(position, "tag", where)
        _refuse_beyond(position + 11 + length, size, where)
        position += 11 + length + 4


def _check_ogg(file: BinaryIO, size: int, where: str) -> None:
    position = 0
    newest: dict[bytes, int] = {}
    while header := _read(file, position, 27):
        if len(header) < 27 or header[:4] != b"OggS":
            if b"OggS".startswith(header[:4]):
                _refuse_beyond(position + 27, size, where)
            raise _damaged(position, "page", where)
        serial, number, begins = (
            header[14:18],
            int.from_bytes(header[18:22], "little"),
            header[5] & 2,
        )
        if not begins and newest.get(serial, number - 1) != number - 1:
            raise _damaged(position, f"page {newest[serial] + 1}", where)
        newest[serial] = number
        lengths = file.read(header[26])
        end = position + 27 + header[26] + sum(lengths)
        _refuse_beyond(end + header[26] - len(lengths), size, where)
        # FFmpeg leaves out a page whose checksum is wrong, and says nothing.
        if (
            _ogg_checksum(header[:22] + bytes(4) + header[26:] + lengths + file.read(sum(lengths)))
            != header[22:26]
        ):
            raise _damaged(position, "whole page", where)
        position = end


def _ogg_checksum(page: bytes) -> bytes:
    """RFC 3533, 6: CRC-32 with the highest bit first, from 0; zlib's has the lowest bit first, and
    inverts before and behind.
    """
    mirrored = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return mirrored.to_bytes(4, "big").translate(MIRRORED)


def _check_ts(path: Path, size: int, where: str) -> None:
    content = np.memmap(path, np.uint8, "r")
    for length, offset in TS_PACKETS:
        marks = content[offset::length]
        if size >= 4 * length and (marks[:4] == TS_SYNC).all():
            wrong = np.flatnonzero(marks[: size // length] != TS_SYNC)
            if len(wrong):
                raise _damaged(int(wrong[0]) * length, "packet", where)
            if size % length:
                _refuse_beyond(size - size % length + length, size, where)
            return


def _read(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _refuse_beyond(end: int, size: int, where: str) -> None:
    if end > size:
        raise DataError(
            f"{where} is truncated: it has {size} bytes, its header says {end}; {AGAIN}"
        )


def _damaged(position: int, what: str, where: str) -> DataError:
    return DataError(
        f"{where} is damaged: no {what} begins at byte {position}, where one should; {AGAIN}"
    )
