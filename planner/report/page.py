"""The page as a whole: what the template shows, section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.audit.rules import RULES
from planner.report import figures, headline, tables, words
from planner.report.charts import Chart, Floats
from planner.report.day import Day, group_positions
from planner.report.disclosure import read_released
from planner.report.money import read_settlement
from planner.report.papers import Papers
from planner.report.readings import MOST_METERS, read_readings
from planner.report.sums import read_sums
from planner.report.tables import MOST_ROWS, NOTHING_KWH

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
    """The page as HTML text; an order book alone has its own."""
    if papers.certificate.get("mode") == "market":
        from planner.report.trader import book_content

        return _filled("market.html.j2", book_content(papers))
    return _filled("report.html.j2", content(papers))


def _filled(template: str, told: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("planner", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "percent": words.percent, "energy": words.energy}
    return environment.get_template(template).render(**told)


def content(papers: Papers) -> dict[str, Any]:
    """Everything that the template names."""
    sums = read_sums(papers)
    day = sums.moved.day()
    traded = group_positions(papers)
    signed, what = (traded, "group") if traded else (_trading(day.position), "building")
    return {
        "title": headline.title(papers),
        "day": headline.day_in_words(papers),
        "sentences": [*headline.sentences(papers), *filter(None, [tables.cut(day)])],
        "tiles": headline.tiles(papers),
        "synthetic": bool(papers.settings.get("synthetic")),
        "currency": papers.currency,
        "whole": papers.is_whole,
        "charts": _charts(papers, day, traded, signed, what),
        "prices": tables.prices(papers),
        "energy": tables.energy(day),
        "outside": tables.outside(papers),
        "what": what,
        "positions": tables.positions(signed, papers),
        "more_positions": max(0, len(signed) - MOST_ROWS),
        "settlement": read_settlement(papers, sums.booked),
        "most_rows": MOST_ROWS,
        "certificate": papers.certificate,
        "facts": _facts(papers),
        "lost": _lost(papers),
        "readings": read_readings(papers),
        "most_meters": MOST_METERS,
        "convergence": figures.convergence(papers),
        "released": read_released(papers),
        "audit": _audit(papers),
        "violations": [_violation(found) for found in papers.audit.get("violations", [])[:MOST_ROWS]],
    }


def _trading(position: dict[str, Floats]) -> dict[str, Floats]:
    """Buildings that trade at all; one at the default tariff may round a Wh or two."""
    return {name: q for name, q in position.items() if np.abs(q).sum() >= NOTHING_KWH}


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


def _facts(papers: Papers) -> list[tuple[str, str]]:
    told = papers.certificate
    facts = [(label, _plain(told[name])) for name, label in FACTS if told.get(name) is not None]
    return [*facts, *_forecast(told.get("forecast_error") or {})]


def _forecast(error: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How far the same forecast was off on days whose readings it was not shown; per meter in its building's folder."""
    if error.get("wape") is None:
        return []
    meters = f"{error['meters']} metered loads and plants"
    return [("forecast error on held-back days", f"{100 * float(error['wape']):.1f} % of the energy, mean of {meters}")]


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
        elif key in audit.get("rules_without_subject", ()):
            found.append(Rule(key, meaning, "nothing to check", ""))
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
