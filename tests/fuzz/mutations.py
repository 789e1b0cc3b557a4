"""Ways to damage a file: bytes, lines of text, JSON values, npy and npz. All chance comes from the
generator that is passed in."""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import numpy as np

NUMBERS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    32767,
    65535,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    10**40,
)
WORDS = (
    "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-0", "0x10", "1_000", "١٢", "½", "1.5", "-5", "+5", "", " ", "\t", "\x00", "\ufeff",
    "é", "\u2028", "💥", "'", '"', "\\", "%", "../../escaped", "/tmp/escaped", "..", ".", "~", "~nobody", "C:\\x", "a" * 3000,
    "9" * 20, "9" * 5000, "{", "}", "[", "]", "[[[[", "null", "true", "__class__", "{0.__class__}", "<b>", "$HOME", "`id`",
)  # fmt: skip
"""Texts that a reader may take for a number, a path or code."""
PICKLE = b"cposix\nsystem\n(S'touch escaped'\ntR."
DEPTH = 20_000


def bytes_of(rng: Random, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Return the content with one to four edits: flipped, inserted, removed, repeated, cut off, or
    spliced with another file."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        at = rng.randrange(len(data) + 1)
        length = min(len(data) - at, int(2 ** rng.uniform(0, 10)))
        edit = rng.randrange(11)
        if edit <= 2 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif edit == 3 and at < len(data):
            data[at] = rng.randrange(256)
        elif edit == 4:
            number = rng.choice(NUMBERS) % 2**64
            kind = rng.choice(["<I", ">I", "<Q", ">Q", "<H", ">H"])
            packed = struct.pack(kind, number % 2 ** (8 * struct.calcsize(kind)))
            data[at : at + len(packed)] = packed
        elif edit == 5:
            del data[at : at + length]
        elif edit == 6:
            data[at:at] = data[at : at + length]
        elif edit == 7:
            del data[at:]
        elif edit == 8:
            data[at:at] = rng.randbytes(min(length, 64))
        elif edit == 9:
            data[at : at + length] = bytes(length)
        elif others:
            other = rng.choice(others)
            data[at:] = other[rng.randrange(len(other) + 1) :]
    return bytes(data)


def text_of(rng: Random, content: str, pieces: Sequence[str] = ()) -> str:
    """Return a text with one to three edits of its numbers, words and lines; `pieces` are words of
    the format."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        edit = rng.randrange(8)
        lines = content.split("\n")
        line = rng.randrange(len(lines))
        if edit == 0:
            lines.insert(line, lines[rng.randrange(len(lines))])
        elif edit == 1:
            del lines[line]
        elif edit == 2:
            lines[line] = lines[line] * rng.choice((2, 3, 200))
        if edit <= 2:
            content = "\n".join(lines)
            continue
        at = rng.randrange(len(content) + 1)
        until = at + rng.choice((0, 0, 1, 2, 5))
        if edit <= 5:  # a word or a number where one stood
            digits = [place for place, character in enumerate(content) if character.isdigit()]
            if digits and edit == 3:
                at = rng.choice(digits)
                until = at + 1
            word = rng.choice([*WORDS, *pieces]) if edit != 3 else str(rng.choice(NUMBERS))
            content = content[:at] + word + content[until:]
        elif edit == 6:
            content = (
                content[:at] + rng.choice("\r\n\t ,;:=[]{}()%\"'|-+.\x00\x1a") + content[until:]
            )
        else:
            content = content[:at]
    return content


def _places(value: Any, path: tuple = ()) -> list[tuple]:
    found = [path]
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in children:
        found += _places(child, (*path, key))
    return found


def json_value(rng: Random, likely: Sequence[Any] = ()) -> Any:
    """Return a value that may stand where another should: any type, any size. It may be changed in
    its turn."""
    return copy.deepcopy(rng.choice(
        [
            *likely, None, True, False, [], {}, "", [[]], [None], {"": {}}, {"a": 1}, 1.5, 1e308, -1.0, float("nan"), float("inf"),
            rng.choice(NUMBERS), rng.choice(NUMBERS), rng.choice(WORDS), rng.choice(WORDS), [rng.choice(WORDS)], [rng.choice(NUMBERS)],
        ]
    ))  # fmt: skip


def json_of(rng: Random, value: Any, likely: Sequence[Any] = ()) -> bytes:
    """Return JSON whose fields were changed, removed, renamed, doubled or nested; now and then its
    bytes."""
    value = copy.deepcopy(value)
    text = ""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        path = rng.choice(_places(value))
        if not path:
            if rng.random() < 0.05:
                value = json_value(rng, likely)
            continue
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        edit = rng.randrange(8)
        if edit == 0:
            del parent[path[-1]]
        elif edit == 1 and isinstance(parent, dict):
            parent[rng.choice([*WORDS, str(path[-1]).upper()])] = parent.pop(path[-1])
        elif edit == 2 and isinstance(parent, list):
            parent.insert(path[-1], copy.deepcopy(parent[path[-1]]))
        elif edit == 3 and isinstance(parent[path[-1]], str):
            parent[path[-1]] = text_of(rng, parent[path[-1]])
        else:
            parent[path[-1]] = json_value(rng, likely)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1)))
    chance = rng.random()
    if chance < 0.05:  # a key twice
        at = text.find('"', rng.randrange(len(text)))
        text = (
            text[:at]
            + f'"{rng.choice(("clips", "folder", "status", "size", "cells"))}": {json.dumps(json_value(rng))}, '
            + text[at:]
        )
    elif chance < 0.07:
        at = text.find("[", rng.randrange(len(text))) + 1
        text = (
            text[:at]
            + rng.choice(("[" * DEPTH, '{"a":' * DEPTH, "[" * DEPTH + "]" * DEPTH))
            + text[at:]
        )
    content = text.encode("utf-8", "surrogatepass")
    return bytes_of(rng, content) if rng.random() < 0.2 else content


def npy(rng: Random, array: np.ndarray) -> bytes:
    """Return a npy file of an array: another type or shape, a header that lies, Python objects, or
    damaged bytes."""
    chance = rng.randrange(8)
    if chance <= 2:
        array = other_array(rng, array)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    content = buffer.getvalue()
    if chance == 3:
        return bytes_of(rng, content)
    if chance <= 5:
        descr = rng.choice(
            ["|u1", "<f4", "<f8", "<i8", ">i8", "<f2", "<c16", "|b1", "|O", "<U7", "|S9", "|V8", "<M8[s]", "<m8[D]", "|u9", "f", "", "<f999999999",
             "|V2147483647", [("a", "<f4")], [("a", "<i4"), ("b", "|O")], [("a", "<f4", (10**9,))], None, 5]
        )  # fmt: skip
        big = rng.choice(NUMBERS)
        shape = rng.choice(
            [
                array.shape,
                (),
                (big,),
                (big, big),
                (10**9,),
                (2 * 10**9, 4),
                (-5,),
                (0, big),
                (3.5,),
                True,
                None,
                (1,) * 40,
            ]
        )
        header = {
            "descr": descr if rng.random() < 0.6 else array.dtype.str,
            "fortran_order": rng.random() < 0.5,
            "shape": shape,
        }
        if rng.random() < 0.1:
            del header[rng.choice(list(header))]
        text = repr(header)
        if rng.random() < 0.2:
            text = text_of(rng, text)
        if rng.random() < 0.03:
            text = rng.choice(
                (
                    "[" * 5000,
                    "(" * 9000 + ")" * 9000,
                    "-" * 9000 + "1",
                    "9" * 9000,
                    "{" * 100,
                    '"' * 3,
                )
            )
        version = rng.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
        encoded = text.encode("utf-8", "surrogatepass") + b"\n"
        length = struct.pack("<H" if version == (1, 0) else "<I", len(encoded) % 65536)
        return (
            b"\x93NUMPY"
            + bytes(version)
            + length
            + encoded
            + array.tobytes()[: rng.choice((10**6, 10**6, 10))]
        )
    if chance == 6 and rng.random() < 0.3:
        return PICKLE
    return content


def other_array(rng: Random, array: np.ndarray) -> np.ndarray:
    """Return an array of another type or shape, or with values out of place."""
    with np.errstate(all="ignore"):
        edit = rng.randrange(7)
        if edit == 0:
            return array.astype(
                rng.choice(
                    ["f4", "f8", "i8", "u1", "?", "c8", "O", "U5", "S3", ">f8", "f2", "M8[s]"]
                )
            )
        if edit == 1:
            return rng.choice(
                [
                    array[None],
                    array[..., None],
                    array.ravel()[:0],
                    np.array(array.ravel()[0] if array.size else 0),
                    array.ravel(),
                ]
            )
        if edit == 2:
            return np.concatenate([array, array]) if array.ndim else array
        if edit == 3:
            return array[: rng.randrange(len(array) + 1)] if array.ndim and len(array) else array
        if edit == 4:
            return array[::-1] if array.ndim else array
        array = np.array(array, dtype=np.float64 if edit == 5 else np.int64)
        if array.size:
            array.ravel()[rng.randrange(array.size)] = (
                rng.choice((np.nan, np.inf, -np.inf, 1e300, 0.5))
                if edit == 5
                else rng.choice((-1, 2, 2**62, -(2**63)))
            )
        return array


@cache
def bomb() -> bytes:
    """Return a deflated npy member of 1.5 GB of zeros, with its header."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (3 << 29,)}
    )
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    parts = [
        packer.compress(header.getvalue()),
        *(packer.compress(bytes(1 << 24)) for _ in range(96)),
        packer.flush(),
    ]
    return b"".join(parts)


def _bomb_archive(name: str) -> bytes:
    """Return a zip of one member that unpacks to 1.5 GB."""
    packed, size = bomb(), (3 << 29) + 128
    raw = name.encode()
    local = (
        struct.pack(
            "<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0x21, 0, len(packed), size, len(raw), 0
        )
        + raw
    )
    central = (
        struct.pack(
            "<IHHHHHHIIIHHHHHII",
            0x02014B50,
            20,
            20,
            0,
            8,
            0,
            0x21,
            0,
            len(packed),
            size,
            len(raw),
            0,
            0,
            0,
            0,
            0,
            0,
        )
        + raw
    )
    end = struct.pack(
        "<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local) + len(packed), 0
    )
    return local + packed + central + end


def npz(rng: Random, arrays: dict[str, np.ndarray]) -> bytes:
    """Return an npz of arrays with members damaged, renamed, doubled, missing, or huge once
    unpacked."""
    chance = rng.random()
    if chance < 0.003:
        return _bomb_archive(f"{next(iter(arrays))}.npy")
    members: list[tuple[str, bytes]] = []
    victim = rng.choice(list(arrays))
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array)
        members.append(
            (
                f"{name}.npy",
                npy(rng, array) if name == victim and chance < 0.6 else buffer.getvalue(),
            )
        )
    if 0.6 <= chance < 0.8:
        at = rng.randrange(len(members))
        edit = rng.randrange(5)
        if edit == 0:
            members[at] = (
                rng.choice([*WORDS, "../../escaped.npy", "/tmp/escaped.npy", "01", "01.npy.npy"])[
                    :60000
                ],
                members[at][1],
            )
        elif edit == 1:
            del members[at]
        elif edit == 2:
            members.append((members[at][0], members[rng.randrange(len(members))][1]))
        elif edit == 3:
            members.append(
                (
                    rng.choice(("extra.npy", "extra.txt", "folder/", "escaped.pkl", "99.npy")),
                    rng.choice((b"", PICKLE, b"text")),
                )
            )
        else:
            members.append(("99.npy", members[at][1]))
    buffer = io.BytesIO()
    import warnings

    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(
            buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        ) as archive,
    ):
        warnings.simplefilter("ignore")  # a name twice is meant
        for name, content in members:
            archive.writestr(
                zipfile.ZipInfo(name.encode("utf-8", "replace").decode() or "x"), content
            )
    content = buffer.getvalue()
    return bytes_of(rng, content) if chance >= 0.75 else content
