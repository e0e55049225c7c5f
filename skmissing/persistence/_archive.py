"""One zip of a fixed form, whose last bytes are the digest of the others."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..exceptions import ModelFileError

HEADER, MODEL = "header.json", "model.json"
_ARRAY = re.compile(r"arrays/(0|[1-9][0-9]{0,8})\.npy")
# Hexadecimal digits of the digest, which is the comment of the zip.
_DIGEST = 64
_PIECE = 2**20
# Bytes of the part that says how large the others are, and for each of these.
_HEADER_LIMIT, _HEADER_ENTRY = 2**16, 64
# What a shape and a type may take at the head of an array.
_NPY_HEADER = 10_000


def write_archive(
    path: str | os.PathLike, header: dict[str, Any], model: bytes, arrays: list
) -> None:
    """Write the parts to a file, whole or not at all."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        with open(temporary, "x+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                sizes = {MODEL: _add(archive, MODEL, model)}
                for i, array in enumerate(arrays):
                    name = f"arrays/{i}.npy"
                    sizes[name] = _add(archive, name, _npy(array))
                text = json.dumps({**header, "sizes": sizes}).encode()
                _add(archive, HEADER, text)
                archive.comment = b"0" * _DIGEST
            file.seek(0)
            digest = _digest(file, file.seek(0, io.SEEK_END) - _DIGEST)
            file.seek(-_DIGEST, io.SEEK_END)
            file.write(digest)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _add(archive: zipfile.ZipFile, name: str, content: bytes | memoryview) -> int:
    """Add a part with a fixed date, so that equal models are equal files."""
    archive.writestr(zipfile.ZipInfo(name), content)
    return len(content)


def _npy(array: np.ndarray) -> memoryview:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


def _digest(file: BinaryIO, size: int) -> bytes:
    """Digest of the first bytes of a file."""
    out = hashlib.sha256()
    file.seek(0)
    while size > 0 and (piece := file.read(min(size, _PIECE))):
        out.update(piece)
        size -= len(piece)
    return out.hexdigest().encode()


class Archive:
    """The parts of a file, none of which is larger than its header and itself state."""

    def __init__(self, file: BinaryIO) -> None:
        size = file.seek(0, io.SEEK_END)
        if size <= _DIGEST:
            raise ModelFileError(f"Got a file of {size} bytes, expected a saved model.")
        file.seek(-_DIGEST, io.SEEK_END)
        if file.read() != _digest(file, size - _DIGEST):
            raise ModelFileError(
                "Got a file that was damaged, or not written by skmissing.save, "
                "expected one whose digest is right."
            )
        self._zip = zipfile.ZipFile(file)
        entries = self._zip.infolist()
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries) or not all(map(_is_plain, entries)):
            raise ModelFileError(
                "Got compressed, encrypted, repeated or unknown parts in the file, "
                "expected those that skmissing.save writes."
            )
        if sum(entry.file_size for entry in entries) > size:
            raise ModelFileError(
                "Got parts that are larger than the file, expected sizes that fit."
            )
        self.header = self._read_header()

    def _read_header(self) -> dict[str, Any]:
        entry = self._entries.get(HEADER)
        limit = _HEADER_LIMIT + _HEADER_ENTRY * len(self._entries)
        if entry is None or entry.file_size > limit:
            raise ModelFileError("Got no header in the file, expected a saved model.")
        header = json.loads(self._zip.read(entry))
        sizes = header.get("sizes") if isinstance(header, Mapping) else None
        found = {n: e.file_size for n, e in self._entries.items() if n != HEADER}
        if header.get("format") != "skmissing" or sizes != found:
            raise ModelFileError(
                "Got parts of other names or sizes than the header lists, expected a "
                "saved model."
            )
        return header

    def model(self) -> Any:
        """What stands in the file beside arrays."""
        return json.loads(self._read(MODEL))

    def _read(self, name: str) -> bytes:
        if name not in self._entries:
            raise ModelFileError(
                f"Got no part {name[:40]!r} in the file, expected what the model names."
            )
        return self._zip.read(self._entries[name])

    def array(self, name: Any) -> np.ndarray:
        """An array of numbers or text, of the size that its own head states."""
        if not isinstance(name, str) or not _ARRAY.fullmatch(name):
            raise ModelFileError("Got a part that is no array, expected an array.")
        content = self._read(name)
        head = io.BytesIO(content)
        version = np.lib.format.read_magic(head)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = reader(head, max_header_size=_NPY_HEADER)
        count = 1
        for side in shape:
            count *= side
        start = head.tell()
        if dtype.hasobject or count * dtype.itemsize != len(content) - start:
            raise ModelFileError(
                f"Got {len(content) - start} bytes for an array of shape {shape} and "
                f"type {dtype}, expected as many as these take, and no objects."
            )
        flat: Any = np.frombuffer(content, dtype, count, start) if count else []
        out = np.array(flat, dtype=dtype).reshape(shape, order="F" if fortran else "C")
        return out


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Whether a part is one that can stand in a file, as it is, without surprises."""
    known = entry.filename in (HEADER, MODEL) or _ARRAY.fullmatch(entry.filename)
    return bool(
        known
        and entry.compress_type == zipfile.ZIP_STORED
        and entry.file_size == entry.compress_size
        and not entry.flag_bits & 0x1
    )
