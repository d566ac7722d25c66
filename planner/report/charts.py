"""Charts as inline SVG.  Colours are names that the page's style sheet fills in, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Matplotlib writes colours as numbers; each of these is written once and then replaced by its variable.
INK = {"ink": "#010101", "faint": "#010102", "grid": "#010103"}
SERIES = {name: f"#02020{i}" for i, name in enumerate(("a", "b", "c", "d", "e", "f"))}
VARIABLES = {value: f"var(--{name})" for name, value in {**INK, **SERIES}.items()}
WIDTH_IN = 5.8
RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "allotment",
    "font.size": 13,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK["faint"],
    "axes.labelcolor": INK["faint"],
    "axes.titlecolor": INK["ink"],
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": INK["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": INK["faint"],
    "ytick.color": INK["faint"],
    "lines.linewidth": 1.6,
}


@dataclass(frozen=True)
class Chart:
    """A figure for the page: ``legend`` pairs a colour name with its words."""

    title: str
    caption: str
    svg: str
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Line:
    """One value per interval; ``filled`` down to zero.  ``low`` and ``high`` are a range around it, NaN for none."""

    values: Floats
    color: str
    filled: bool = False
    dashed: bool = False
    low: Floats | None = None
    high: Floats | None = None


def day_chart(name: str, starts: Sequence[datetime], lines: Sequence[Line], unit: str, height_in: float = 2.9) -> str:
    """Steps over the delivery day."""
    with _figure(name, height_in) as drawing:
        axes = drawing.figure.subplots()
        _steps(axes, starts, lines)
        axes.set_title(unit, color=INK["faint"])
    return drawing.svg


def strips(name: str, starts: Sequence[datetime], rows: Sequence[tuple[str, Floats]], unit: str) -> str:
    """One small chart per row, above each other on one scale: above zero in one colour, below in another."""
    with _figure(name, 0.5 + 0.72 * len(rows)) as drawing:
        many = drawing.figure.subplots(len(rows), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, (label, values) in zip(many, rows, strict=True):
            up, down = np.maximum(values, 0.0), np.minimum(values, 0.0)
            _steps(axes, starts, [Line(up, "a", filled=True), Line(down, "b", filled=True)])
            axes.set_title(label, pad=3, fontsize=12)
            axes.locator_params(axis="y", nbins=3)
        many[0].set_title(f"{rows[0][0]}, {unit}", pad=3, fontsize=12)
    return drawing.svg


def convergence(name: str, rounds: Sequence[int], bound: Floats, value: float, unit: str) -> str:
    """The proven bound climbing towards the cost of the answer."""
    with _figure(name, 2.9) as drawing:
        axes = drawing.figure.subplots()
        axes.step(rounds, bound, where="post", color=SERIES["a"], marker="o", markersize=3.5)
        axes.axhline(value, color=SERIES["b"], linestyle=(0, (4, 2)))
        axes.set_title(unit, color=INK["faint"])
        axes.set_xlabel("round")
        axes.set_xlim(min(rounds) - 0.5, max(rounds) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        # Early bounds may lie far below; what matters is where the two meet.
        near = bound[bound > value - 3 * max(abs(value), value - bound[-1])]
        floor = min(float(near.min(initial=value)), value)
        room = 0.08 * (value - floor) or 0.1 * max(abs(value), 1.0)
        axes.set_ylim(floor - room, value + room)
    return drawing.svg


def _steps(axes: Any, starts: Sequence[datetime], lines: Sequence[Line]) -> None:
    edges = _edges(starts)
    for line in lines:
        color = {**SERIES, **INK}[line.color]
        if line.low is not None and line.high is not None:
            known = np.isfinite(line.low) & np.isfinite(line.high)
            low, high = (np.where(known, end, line.values) for end in (line.low, line.high))
            axes.stairs(high, edges, baseline=low, fill=True, color=color, alpha=0.25, linewidth=0)
        if line.filled:
            axes.stairs(line.values, edges, fill=True, color=color, alpha=0.55, linewidth=0)
        else:
            axes.stairs(line.values, edges, color=color, baseline=None, linestyle=(0, (4, 2)) if line.dashed else "-")
    axes.set_xlim(edges[0], edges[-1])
    axes.axhline(0, color=INK["faint"], linewidth=0.8, zorder=1.5) if _crosses(lines) else None
    places = [i for i, start in enumerate(starts) if start.hour % 6 == 0 and start.minute == 0]
    axes.set_xticks([edges[i] for i in places] + [edges[-1]])
    axes.set_xticklabels([f"{starts[i]:%H:%M}" for i in places] + ["24:00"])


def _crosses(lines: Sequence[Line]) -> bool:
    return any(line.filled or float(np.nanmin(line.values, initial=0.0)) < 0 for line in lines)


def _edges(starts: Sequence[datetime]) -> Floats:
    """Hours since midnight that have passed: a day of 25 hours has 25 of them."""
    hours = np.array([(start.timestamp() - starts[0].timestamp()) / 3600 for start in starts])
    width = float(hours[1] - hours[0]) if len(hours) > 1 else 1.0
    return np.append(hours, hours[-1] + width)


@dataclass
class _Drawing:
    """A matplotlib figure while it is drawn; SVG text afterwards."""

    figure: Any = None
    svg: str = ""


@contextmanager
def _figure(name: str, height_in: float) -> Iterator[_Drawing]:
    """A figure that is SVG text when the block ends."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawing = _Drawing()
    with mpl.rc_context(RC):
        drawing.figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        yield drawing
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        drawing.figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    drawing.svg = _inline(text.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """An svg element for the middle of a page: no prologue, no fixed size, ids of its own, the page's font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r' (id="|xlink:href="#)', rf" \g<1>{name}-", svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font: \1 system-ui, sans-serif", svg)
    for value, variable in VARIABLES.items():
        svg = svg.replace(value, variable)
    return svg.strip()
