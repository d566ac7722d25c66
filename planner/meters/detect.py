"""Which format a source is in, told from its content and never from its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planner.meters import canonical, green_button, layout, nem12, nem13
from planner.meters.reader import Reader
from planner.meters.source import Source, decoded
from planner.problems import Problem

HEAD = 65536


@dataclass(frozen=True, slots=True)
class Format:
    """A format: how it is recognised and how it is read."""

    name: str
    recognise: Callable[[Source, str], bool]
    read: Reader


def formats() -> tuple[Format, ...]:
    """Every format, those with code of their own first, then the layouts described as data."""
    own = (
        Format("canonical", canonical.recognise, canonical.read),
        Format("nem12", nem12.recognise, nem12.read),
        Format("nem13", nem13.recognise, nem13.read),
        Format("green_button", green_button.recognise, green_button.read),
    )
    return own + tuple(Format(kind.name, kind.recognise, kind.read) for kind in layout.layouts())


def named(name: str, file: str) -> Format | Problem:
    """The format the user asked for."""
    for kind in formats():
        if kind.name == name:
            return kind
    return Problem(file, 0, "no such format", name, f"one of {', '.join(kind.name for kind in formats())}")


def detect(source: Source) -> Format | Problem:
    """The one format that recognises the source; a refusal that says what the content looks like."""
    if not source.data[:HEAD].strip():
        return Problem(source.name, 0, "is empty")
    text = decoded(Source(source.name, source.data[:HEAD])).text
    found = [kind for kind in formats() if kind.recognise(source, text)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(kind.name for kind in found)
        return Problem(source.name, 1, "fits more than one format", names, "say which with --format")
    return Problem(source.name, 1, "is in no known format", _looks_like(source, text), "see planner ingest --help")


def _looks_like(source: Source, text: str) -> str:
    start = text.lstrip("\ufeff \r\n\t")[:200].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "an HTML page, perhaps a login page that was saved"
    if source.data.startswith(b"\x89PNG") or source.data.startswith((b"\xff\xd8", b"%PDF")):
        return "an image or a PDF"
    if start.startswith("<"):
        return "XML without Green Button readings"
    lines = [line for line in text.splitlines() if line.strip() and not line.lower().startswith("sep=")]
    if not lines:
        return "no rows"
    delimiter = max(",;\t|", key=lines[0].count)
    count = lines[0].count(delimiter) + 1
    return f"text, {count} columns by {delimiter!r}" if count > 1 else "text without columns"
