"""Bytes of meter files: plain, gzip or the members of a zip; then text, with its encoding named."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.problems import Problem

LARGEST = 2 << 30
MOST_MEMBERS = 2000
_ENCODINGS = {b"\xef\xbb\xbf": ("utf-8-sig", "UTF-8 with BOM"), b"\xff\xfe": ("utf-16", "UTF-16LE with BOM")}
_ENCODINGS[b"\xfe\xff"] = ("utf-16", "UTF-16BE with BOM")


@dataclass(frozen=True, slots=True)
class Source:
    """The content of one file or of one member of an archive (``archive!member``)."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """Decoded content; ``encoding`` in words for the report."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def sources(path: Path, shown: str) -> tuple[tuple[Source, ...], tuple[Problem, ...]]:
    """Everything readable at ``path`` (named ``shown`` in messages), archives opened."""
    try:
        if path.is_dir():
            return (), (Problem(shown, 0, "is a folder", hint="name its files"),)
        if path.stat().st_size > LARGEST:
            return (), (Problem(shown, 0, "larger than 2 GiB", hint="split the file"),)
        return _opened(Source(shown, path.read_bytes()))
    except OSError as error:
        return (), (Problem(shown, 0, "cannot be read", error.strerror or type(error).__name__),)


def decoded(source: Source) -> Text:
    """Text of a source: BOM, UTF-8, UTF-16 without BOM, else Latin-1; NUL characters are removed and noted."""
    for bom, (codec, words) in _ENCODINGS.items():
        if source.data.startswith(bom):
            return _without_nul(source.data.decode(codec, errors="replace"), words)
    head = source.data[:4000]
    if head.count(0) > len(head) // 3:
        codec = "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
        return _without_nul(source.data.decode(codec, errors="replace"), codec.upper())
    try:
        return _without_nul(source.data.decode("utf-8"), "UTF-8")
    except UnicodeDecodeError:
        return _without_nul(source.data.decode("latin-1"), "Latin-1 (not valid UTF-8)")


def _opened(source: Source) -> tuple[tuple[Source, ...], tuple[Problem, ...]]:
    if source.data.startswith(b"\x1f\x8b"):
        return _gunzipped(source)
    if source.data.startswith(b"PK\x03\x04") or source.data.startswith(b"PK\x05\x06"):
        return _unzipped(source)
    return (source,), ()


def _gunzipped(source: Source) -> tuple[tuple[Source, ...], tuple[Problem, ...]]:
    try:
        unpack = zlib.decompressobj(wbits=31)
        data = unpack.decompress(source.data, LARGEST)
        if unpack.unconsumed_tail:
            return (), (Problem(source.name, 0, "unpacks to more than 2 GiB", hint="split the file"),)
        if not unpack.eof or unpack.unused_data:
            data = gzip.decompress(source.data)  # several gzip members, or a truncated one, which raises
        return (Source(source.name, data),), ()
    except (zlib.error, EOFError, OSError) as error:
        return (), (Problem(source.name, 0, "is a damaged gzip file", str(error)),)


def _unzipped(source: Source) -> tuple[tuple[Source, ...], tuple[Problem, ...]]:
    import io

    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if any(member.filename == "[Content_Types].xml" for member in members):
                hint = "save the sheet as CSV"
                return (), (Problem(source.name, 0, "is a spreadsheet, which is not read", hint=hint),)
            if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > LARGEST:
                return (), (Problem(source.name, 0, "unpacks to more than is read", hint="split the archive"),)
            return tuple(_members(archive, members, source.name)), ()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError):
        return (), (Problem(source.name, 0, "is a damaged or protected zip file"),)


def _members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str) -> Iterator[Source]:
    """An archive of one member keeps its own name; of several, each is shown as ``archive!member``."""
    for member in sorted(members, key=lambda m: m.filename):
        shown = name if len(members) == 1 else f"{name}!{member.filename}"
        with archive.open(member) as stream:
            yield Source(shown, stream.read(LARGEST))


def _without_nul(text: str, encoding: str) -> Text:
    if "\0" not in text:
        return Text(text, encoding)
    return Text(text.replace("\0", ""), encoding, (f"{text.count(chr(0))} NUL characters removed",))
