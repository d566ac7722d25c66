"""The page as a whole: what the template shows, section by section."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from planner.audit.rules import RULES
from planner.report import figures, headline, words
from planner.report.charts import Chart, Floats
from planner.report.day import KINDS, LOADS, OTHER, Day, group_positions, read_day
from planner.report.disclosure import read_released
from planner.report.money import read_settlement
from planner.report.papers import Papers

MOST_ROWS = 60
MOST_NAMED = 5
NOTHING_KWH = 0.05
SIDES = ("buildings", "exchange", "supply", "orders", "network")
FACTS = (
    ("status", "status"),
    ("answer_from", "answer from"),
    ("mode", "mode"),
    ("information", "the marketplace saw"),
    ("pricing", "pricing rule"),
    ("converged", "prices converged"),
    ("rounds", "rounds"),
    ("groups_released", "groups that speak"),
    ("groups_dark", "groups that are dark"),
    ("price_of_locality", "price of locality"),
    ("price_of_privacy", "price of privacy"),
    ("wall_s", "took, seconds"),
    ("case_sha256", "case, SHA-256"),
    ("output_sha256", "result, SHA-256"),
    ("run_id", "run"),
)


def render(papers: Papers) -> str:
    """The page as HTML text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("planner", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "percent": words.percent, "energy": words.energy}
    return environment.get_template("report.html.j2").render(**content(papers))


def content(papers: Papers) -> dict[str, Any]:
    """Everything that the template names."""
    day = read_day(papers)
    traded = group_positions(papers)
    signed, what = (traded, "group") if traded else (day.position, "building")
    return {
        "title": headline.title(papers),
        "day": headline.day_in_words(papers),
        "sentences": headline.sentences(papers),
        "tiles": headline.tiles(papers),
        "synthetic": bool(papers.settings.get("synthetic")),
        "currency": papers.currency,
        "whole": papers.is_whole,
        "charts": _charts(papers, day, traded, signed, what),
        "prices": _prices(papers),
        "energy": _energy(day),
        "cut": _cut(day),
        "outside": _outside(papers),
        "what": what,
        "positions": _positions(signed, papers),
        "more_positions": max(0, len(signed) - MOST_ROWS),
        "settlement": read_settlement(papers),
        "most_rows": MOST_ROWS,
        "certificate": papers.certificate,
        "facts": _facts(papers),
        "lost": _lost(papers),
        "convergence": figures.convergence(papers),
        "released": read_released(papers),
        "audit": _audit(papers),
        "violations": [_violation(found) for found in papers.audit.get("violations", [])[:MOST_ROWS]],
    }


def _charts(
    papers: Papers, day: Day, traded: dict[str, Floats], signed: dict[str, Floats], what: str
) -> dict[str, Chart | None]:
    if not papers.starts:
        return dict.fromkeys(("prices", "balance", "trade", "positions"))
    return {
        "prices": figures.prices(papers),
        "balance": figures.balance(papers, day),
        "trade": figures.trade(papers, day, traded),
        "positions": figures.positions(papers, signed, what),
    }


@dataclass(frozen=True)
class Extreme:
    """A value and the local time at which it is reached."""

    value: float
    at: str


@dataclass(frozen=True)
class ZonePrices:
    zone: str
    mean: float
    lowest: Extreme
    highest: Extreme
    indicative: int


def _prices(papers: Papers) -> list[ZonePrices]:
    frame = papers.market("prices")
    if frame.empty:
        return []
    found = []
    for zone, rows in frame.dropna(subset=["price_per_mwh"]).groupby("zone"):
        price = rows.sort_values("interval")["price_per_mwh"].to_numpy(dtype=float)
        starts = [papers.starts[int(i) - 1] for i in sorted(rows["interval"])]
        low, high = (Extreme(float(price[i]), _time(starts[i])) for i in (int(price.argmin()), int(price.argmax())))
        indicative = int(rows["indicative"].fillna(False).sum())
        found.append(ZonePrices(str(zone), float(price.mean()), low, high, indicative))
    return found


def _time(start: datetime) -> str:
    return f"{start:%H:%M}"


def _energy(day: Day) -> list[tuple[str, float, float]]:
    """(kind, kWh drawn, kWh made) on the delivery day."""
    kinds = dict.fromkeys([*(words for _, _, words in KINDS), OTHER])
    total = lambda parts, kind: float(parts[kind].sum()) if kind in parts else 0.0  # noqa: E731
    return [(k, total(day.drawn, k), total(day.made, k)) for k in kinds if k in day.drawn or k in day.made]


def _cut(day: Day) -> str:
    """Who did not get what he asked for, in words; empty where everybody did."""
    by_building = {name: float(np.nansum(kwh)) for name, kwh in day.cut.items()}
    total = sum(by_building.values())
    if total < NOTHING_KWH:
        return ""
    asked = total + float(day.drawn.get(LOADS, np.zeros(1)).sum())
    most = sorted(by_building, key=lambda name: (-by_building[name], name))[:MOST_NAMED]
    names = ", ".join(f"{name} {words.energy(by_building[name])}" for name in most if by_building[name] >= NOTHING_KWH)
    more = " and others" if sum(kwh >= NOTHING_KWH for kwh in by_building.values()) > MOST_NAMED else ""
    return f"{words.energy(total)} of {words.energy(asked)} asked for by loads were curtailed or not served: {names}{more}."


def _outside(papers: Papers) -> list[dict[str, Any]]:
    """Per zone: kWh of import, export, contracts' remainder taken, and of what could not be met."""
    frame = papers.market("exchange")
    if frame.empty:
        return []
    names = ("import_kwh", "export_kwh", "supply_kwh", "unserved_kwh", "remainder_kwh")
    found = []
    for zone, rows in frame.groupby("zone"):
        net = float((rows["import_kwh"] - rows["export_kwh"]).max())
        sums = {name: float(rows[name].sum()) for name in names}
        found.append({"zone": str(zone), "peak_kw": max(net, 0.0) * 60 / papers.minutes, **sums})
    return found


@dataclass(frozen=True)
class Position:
    """A group's day in kWh, and its largest net request and offer in kW."""

    name: str
    requested: float
    offered: float
    peak_in: Extreme
    peak_out: Extreme


def _positions(signed: dict[str, Floats], papers: Papers) -> list[Position]:
    found, per_kw = [], 60 / papers.minutes
    for name in sorted(signed, key=lambda name: (-float(np.abs(signed[name]).sum()), name))[:MOST_ROWS]:
        q = signed[name]
        into, out = int(q.argmax()), int(q.argmin())
        peak_in = Extreme(max(float(q[into]), 0.0) * per_kw, _time(papers.starts[into]))
        peak_out = Extreme(max(-float(q[out]), 0.0) * per_kw, _time(papers.starts[out]))
        found.append(Position(name, float(np.maximum(q, 0).sum()), float(np.maximum(-q, 0).sum()), peak_in, peak_out))
    return found


def _facts(papers: Papers) -> list[tuple[str, str]]:
    told = papers.certificate
    return [(label, _plain(told[name])) for name, label in FACTS if told.get(name) is not None]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " to ".join(words.number(item) for item in value)
    return words.number(value) if isinstance(value, float) else str(value)


def _lost(papers: Papers) -> list[tuple[str, float, float]]:
    """(side, currency, share of the largest in percent), the total last."""
    lost = papers.certificate.get("lost_opportunity_cost") or {}
    named = [(side, float(lost[side])) for side in (*SIDES, "total") if side in lost]
    most = max((value for _, value in named), default=0.0)
    return [(side, value, max(0.0, 100 * value / most) if most > 0 else 0.0) for side, value in named]


@dataclass(frozen=True)
class Rule:
    key: str
    meaning: str
    state: str
    note: str


def _audit(papers: Papers) -> list[Rule]:
    """Every rule with what became of it; empty while there is no audit."""
    audit = papers.audit
    if "violations" not in audit:
        return []
    broken = Counter(str(violation.get("rule")) for violation in audit["violations"])
    broken.update(audit.get("violations_not_listed", {}))
    missing = audit.get("rules_not_checkable", {})
    found = []
    for key, meaning in RULES.items():
        if broken[key]:
            found.append(Rule(key, meaning, "violated", words.counted(broken[key], "violation")))
        elif key in missing:
            found.append(Rule(key, meaning, "not checkable", str(missing[key])))
        elif key in audit.get("rules_checked", ()):
            found.append(Rule(key, meaning, "holds", ""))
    return found


def _violation(found: dict[str, Any]) -> dict[str, str]:
    """One violation in words: rule, where, what, value, expected."""
    where = found.get("where") or {}
    at = f"interval {where['interval']}" if where.get("interval") else ""
    place = ", ".join(str(part) for part in (where.get("file"), where.get("name"), at) if part)
    texts = {name: _found(found.get(name)) for name in ("rule", "what", "value", "expected")}
    return {"where": place, **texts}


def _found(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
