"""The first lines of the page: what was decided, what it costs, how good it provably is, whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

from planner.report.papers import Papers
from planner.report.words import counted, number, percent, with_unit

GOOD, FAIR, BAD, PLAIN = "good", "fair", "bad", "plain"


@dataclass(frozen=True)
class Tile:
    """One number to remember."""

    name: str
    value: str
    note: str
    tone: str = PLAIN


def title(papers: Papers) -> str:
    name = str(papers.settings.get("name", "run"))
    only = papers.buildings if not papers.has_market else ()
    return f"{name}, {', '.join(only)}" if 0 < len(only) <= 3 else name


def day_in_words(papers: Papers) -> str:
    """The delivery day, and that it is a long or a short one."""
    if not papers.starts:
        return str(papers.certificate.get("delivery_date", ""))
    first, hours = papers.starts[0], len(papers.starts) * papers.minutes / 60
    told = f"{first:%A} {first.day} {first:%B %Y}"
    return told if hours == 24 else f"{told}, a day of {hours:g} hours"


def sentences(papers: Papers) -> list[str]:
    """What was decided, in plain words."""
    told = papers.certificate
    if told and (papers.has_market or not papers.buildings):
        return [*_what(papers), *_cost(papers), *_gap(papers), *_dark(papers)]
    return [line for building in _buildings(papers) for line in building]


def tiles(papers: Papers) -> list[Tile]:
    found = []
    if papers.certificate and papers.has_market:
        found = [*_cost_tiles(papers), _gap_tile(papers)]
    return [*found, audit_tile(papers)]


def _what(papers: Papers) -> list[str]:
    told = papers.certificate
    if not papers.starts:
        return []
    units, buildings = told.get("units"), told.get("buildings")
    grid = f"{counted(len(papers.starts), 'interval')} of {papers.minutes} minutes"
    if not buildings:
        return [f"The order book of this day was cleared in {grid}."]
    return [f"Energy of {counted(units or 0, 'unit')} in {counted(buildings, 'building')} was planned in {grid}."]


def _cost(papers: Papers) -> list[str]:
    told, unit = papers.certificate, papers.currency
    objective, savings = told.get("objective"), told.get("savings")
    if objective is None:
        return []
    hours = f"the {papers.horizon_hours:g} hours that were planned"
    ahead = papers.setting("horizon", "look_ahead_hours", 0)
    hours += f" (the day and {ahead:g} hours beyond it)" if ahead else ""
    if objective < 0:
        first = f"The plan is worth {with_unit(-objective, unit)} over {hours}"
    else:
        first = f"The plan costs {with_unit(objective, unit)} over {hours}"
    if not savings or abs(savings) < 0.005:
        return [f"{first}."]
    less = "less" if savings > 0 else "more"
    return [f"{first}, {with_unit(abs(savings), unit)} {less} than if nobody traded."]


def _gap(papers: Papers) -> list[str]:
    told, unit = papers.certificate, papers.currency
    bound, gap = told.get("bound"), told.get("gap_absolute")
    if bound is None or gap is None:
        return []
    if gap < 0.005:
        return ["It is proven that no plan costs a cent less."]
    first = f"It is proven that no plan costs less than {with_unit(bound, unit)}, so this one is at most"
    return [f"{first} {with_unit(gap, unit)} from the best."]


def _dark(papers: Papers) -> list[str]:
    """What the numbers above leave out."""
    told = papers.certificate
    groups, cost = int(told.get("groups_dark") or 0), told.get("dark_cost")
    if not groups or cost is None:
        return []
    failed = [f"{name} {reason}" for name, reason in sorted((told.get("faults") or {}).items())]
    who = "One group is dark today and plans" if groups == 1 else f"{groups} groups are dark today and plan"
    own = "its own costs" if groups == 1 else "their own costs"
    said = [f"{who} alone: {own}, {with_unit(cost, papers.currency)}, are not in these numbers."]
    return said + [f"What failed, by group: {'; '.join(failed)}."] * bool(failed)


def _cost_tiles(papers: Papers) -> list[Tile]:
    told, unit = papers.certificate, papers.currency
    found = [Tile("Cost", with_unit(told.get("objective"), unit), f"over {papers.horizon_hours:g} hours")]
    savings = told.get("savings")
    if savings is not None:
        tone = GOOD if savings > 0 else PLAIN
        found.append(Tile("Savings", with_unit(savings, unit), "against no trade at all", tone))
    return found


def _gap_tile(papers: Papers) -> Tile:
    told = papers.certificate
    gap, asked = told.get("gap_relative"), papers.setting("solver", "gap_relative")
    if gap is None:
        return Tile("Gap", "–", "no bound was proven", FAIR)
    note = f"{with_unit(told.get('gap_absolute'), papers.currency)} between plan and proven bound"
    if asked is None or gap <= asked:
        return Tile("Gap", percent(gap), note, GOOD)
    return Tile("Gap", percent(gap), f"{note}; asked for: {percent(asked)}", FAIR)


def audit_tile(papers: Papers) -> Tile:
    audit = papers.audit
    if "violations" not in audit:
        return Tile("Audit", "not audited", "run planner audit", FAIR)
    checked, unchecked = len(audit.get("rules_checked", [])), len(audit.get("rules_not_checkable", {}))
    note = f"{counted(checked, 'rule')} re-checked from the files" + (f", {unchecked} not checkable" * bool(unchecked))
    count = len(audit["violations"]) + sum(audit.get("violations_not_listed", {}).values())
    if count:
        broken = ", ".join(dict.fromkeys(str(violation.get("rule")) for violation in audit["violations"]))
        return Tile("Audit", counted(count, "violation"), f"of {broken}; {note}", BAD)
    return Tile("Audit", "clean", note, GOOD)


def _buildings(papers: Papers) -> list[list[str]]:
    unit, found = papers.currency, []
    for building, answer in papers.answers():
        lines = [f"Building {building} speaks in group {answer.get('group')}, zone {answer.get('zone')}."]
        if answer.get("dark"):
            lines = [f"Building {building} is dark: it says nothing and is settled at the default tariff."]
        cost, alone = answer.get("cost"), answer.get("no_trade_cost")
        if cost is not None and alone is not None:
            hours = f"over the {papers.horizon_hours:g} hours that were planned"
            lines.append(
                f"Its own costs (devices, wear, discomfort and marketplace fees, before energy is paid for) are "
                f"{with_unit(cost, unit)} {hours}; without trade they would be {number(alone)}."
            )
        found.append(lines)
    return found
