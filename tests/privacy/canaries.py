"""A city with a canary in every private field, and a search that looks through zips, gzip, parquet and base64."""

from __future__ import annotations

import base64
import binascii
import csv
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

import planner

CANARY = b"canaryxq"  # long enough that ciphertext in base64 does not hold it by chance
UNIT = re.compile(r"\bb(\d\d)-u(\d\d)")
QUANTITY = "3137.731"
QUANTITIES = (QUANTITY.encode(), b"3137731", b"424242")
BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")


def planted(folder: Path) -> Path:
    """A small generated city under preset exchange; every unit, asset, occupant, label, meter and note is a canary."""
    planner.generate(folder, 50, 25, interval_minutes=60)
    for path in sorted(folder.glob("*.csv")):
        path.write_text(UNIT.sub(r"canaryxq-b\1-u\2", path.read_text("utf-8")), "utf-8")
    change(folder / "nodes.csv", _node)
    change(
        folder / "loads.csv",
        lambda row: row | {"value_per_mwh": QUANTITY, "note": "canaryxq note", "x_key": "canaryxqx"},
    )
    _metered(folder)
    return folder


def change(path: Path, edit: Callable[[dict[str, str]], dict[str, str]]) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [edit(row) for row in csv.DictReader(file)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _node(row: dict[str, str]) -> dict[str, str]:
    named = {"label": "", "occupant": "", "metering_point": "", "note": "", "x_mail": ""}
    if row["kind"] != "unit":
        return named | row
    mine = {"label": "Erika Canaryxqmann, canaryxq@example.org", "occupant": f"canaryxq-o-{row['node'][-7:]}"}
    mine |= {
        "metering_point": "CANARYXQ871685900012345678",
        "note": "canaryxq: on holiday",
        "x_mail": "canaryxq@example.org",
    }
    return named | row | mine | {"floor_area_m2": "424242"}


def _metered(folder: Path) -> None:
    """The first load that follows a profile is metered instead, in a file with a name of its own."""
    with (folder / "loads.csv").open(newline="", encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    change(
        folder / "loads.csv",
        lambda row: (
            row | {"meter": "canaryxq-meter", "meter_includes": "none", "profile": "", "annual_kwh": "", "peak_kw": ""}
            if row["load"] == first["load"]
            else {"meter": "", "meter_includes": "", **row}
        ),
    )
    (folder / "meters").mkdir(exist_ok=True)
    meters = (
        f"meter,node,file,channel,x_owner\ncanaryxq-meter,{first['node']},canaryxq-meters.csv,import,canaryxq owner\n"
    )
    (folder / "meters.csv").write_text(meters, "utf-8")
    rows = [
        f"canaryxq-meter,import,2026-04-{day:02}T{hour:02}:00:00+02:00,60,0.{hour:02}1"
        for day in range(1, 13)
        for hour in range(24)
    ]
    head = "meter,channel,start,minutes,energy_kwh"
    (folder / "meters" / "canaryxq-meters.csv").write_text("\n".join([head, *rows]) + "\n", "utf-8")


def layers(name: str, data: bytes, depth: int = 4) -> Iterator[tuple[str, bytes]]:
    """The bytes themselves, and all that is packed into them."""
    yield name, data
    if not depth:
        return
    for inner, content in _packed(name, data):
        yield from layers(inner, content, depth - 1)
    for found in BASE64.findall(data):
        try:
            yield from layers(f"{name} base64", base64.b64decode(found, validate=True), depth - 1)
        except (binascii.Error, ValueError):
            continue


def _packed(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:2] == b"\x1f\x8b":
        yield f"{name} gzip", gzip.decompress(data)
    elif data[:4] == b"PAR1":
        yield f"{name} parquet", repr(pq.read_table(io.BytesIO(data)).to_pydict()).encode()
    elif data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.namelist():
                yield f"{name}/{entry}", archive.read(entry)


def found_in(name: str, data: bytes) -> list[str]:
    """Where a canary is, layer by layer."""
    hits = []
    for layer, content in layers(name, data):
        hits += [f"{layer}: its name"] if CANARY in layer.lower().encode() else []
        lower = content.lower()
        hits += [f"{layer}: {lower[max(0, at.start() - 20) : at.end() + 30]!r}" for at in re.finditer(CANARY, lower)]
        hits += [f"{layer}: the quantity {quantity!r}" for quantity in QUANTITIES if quantity in content]
    return hits
