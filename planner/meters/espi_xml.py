"""Green Button XML as plain values: a streaming parser that refuses DTDs and knows line numbers.

Elements count by namespace URI (http://naesb.org/espi), whatever their prefix.  An Atom entry becomes a
``Resource``: its links, the kind of its content and the leaves of that content by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

ESPI = "http://naesb.org/espi"
ATOM = "http://www.w3.org/2005/Atom"
KINDS = ("UsagePoint", "LocalTimeParameters", "MeterReading", "ReadingType", "IntervalBlock")


class RefusedXmlError(ValueError):
    """The document is not well-formed or asks for what is never done: DTDs and entities."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what, self.line = what, line


@dataclass(slots=True)
class XmlReading:
    """One IntervalReading: text of its leaves, and the line it begins on."""

    line: int
    start: str | None = None
    duration: str | None = None
    value: str | None = None
    quality: str | None = None


@dataclass(slots=True)
class Resource:
    """One resource of an entry; ``leaves`` by local name, for a block those of its interval."""

    kind: str
    line: int
    links: dict[str, list[str]] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    readings: list[XmlReading] = field(default_factory=list)

    @property
    def self_href(self) -> str:
        return self.links.get("self", [""])[0]

    def related(self) -> list[str]:
        return self.links.get("related", [])

    def up(self) -> list[str]:
        return self.links.get("up", [])


def parse(data: bytes) -> list[Resource]:
    """Resources of a document in file order; raises RefusedXmlError."""
    handler = _Handler(expat.ParserCreate(namespace_separator=" "))
    try:
        handler.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise RefusedXmlError(f"not well-formed XML: {expat.ErrorString(error.code)}", error.lineno) from None
    except (LookupError, ValueError) as error:
        if isinstance(error, RefusedXmlError):
            raise
        raise RefusedXmlError(f"cannot be decoded: {error}", 1) from None
    return handler.resources


class _Handler:
    """Collects resources while expat walks the document."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.resources: list[Resource] = []
        self.links: dict[str, list[str]] = {}
        self.here: list[Resource] = []
        self.open: Resource | None = None
        self.reading: XmlReading | None = None
        self.path: list[str] = []
        self.text: list[str] = []
        parser.buffer_text = True
        parser.StartElementHandler = self.begin
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text.append
        parser.StartDoctypeDeclHandler = self.refuse
        parser.EntityDeclHandler = self.refuse

    def refuse(self, *_: object) -> None:
        raise RefusedXmlError("declares a DTD or entities, which are refused", self.parser.CurrentLineNumber)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        uri, _, local = name.rpartition(" ")
        self.path.append(local)
        self.text.clear()
        if local == "entry" and uri == ATOM:
            self.links, self.here = {}, []
        elif local == "link" and "entry" in self.path:
            self.links.setdefault(attributes.get("rel", ""), []).append(attributes.get("href", ""))
        elif uri == ESPI and self.open is None and local in KINDS:
            self.open = Resource(local, self.parser.CurrentLineNumber, self.links)
            self.here.append(self.open)
        elif uri == ESPI and local == "IntervalReading" and self.open is not None:
            self.reading = XmlReading(self.parser.CurrentLineNumber)

    def end(self, name: str) -> None:
        uri, _, local = name.rpartition(" ")
        self.path.pop()
        if self.reading is not None:
            self._leaf(local)
        elif self.open is not None and local == self.open.kind:
            self.resources.append(self.open)
            self.open = None
        elif self.open is not None and uri == ESPI:
            self.open.leaves.setdefault(local, "".join(self.text).strip())
        self.text.clear()

    def _leaf(self, local: str) -> None:
        reading = self.reading
        if local == "IntervalReading" and reading is not None and self.open is not None:
            self.open.readings.append(reading)
            self.reading = None
        elif local in ("start", "duration", "value", "quality"):
            setattr(reading, local, "".join(self.text).strip())
