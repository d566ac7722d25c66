"""A clear in ten seconds: what it costs, how good that provably is, and where to read more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.commands.console import counted

if TYPE_CHECKING:
    from planner.ledger import Run


def facts(run: Run) -> dict[str, Any]:
    """The same for programs: the certificate, and what it does not hold."""
    prices, indicative = _day_prices(run)
    return {
        "run": str(run.folder),
        "certificate": run.certificate,
        "price_per_mwh": prices,
        "prices_indicative": indicative,
        "violations": violations(run),
        "rules_checked": len(run.audit["rules_checked"]),
        "rules_not_checkable": len(run.audit["rules_not_checkable"]),
    }


def violations(run: Run) -> int:
    """How many the audit found, those beyond the listed ones of a rule included."""
    return len(run.audit["violations"]) + sum(run.audit.get("violations_not_listed", {}).values())


def _day_prices(run: Run) -> tuple[dict[str, float] | None, int]:
    """Lowest, mean and highest price that somebody set, and of how many nobody did (indicative ones)."""
    rows = run.prices[run.prices["resource"] == "electricity"].dropna(subset="price_per_mwh")
    idle = rows["indicative"].astype(bool)
    price = rows.loc[~idle, "price_per_mwh"]
    told = {"lowest": float(price.min()), "mean": float(price.mean()), "highest": float(price.max())}
    return (told if len(price) else None), int(idle.sum())


def of_run(run: Run, report: Path) -> str:
    """Label and value by line."""
    told, known = run.certificate, facts(run)
    currency = _currency(run)
    rows = {
        "day": f"{told['delivery_date']}, {counted(told['intervals'], 'interval')}, {_size(run)}",
        "cost": f"{_money(told['objective'])} {currency}",
        "savings": f"{_money(told['savings'])} {currency} against no trade",
        "gap": f"{told['gap_relative']:.3%}: no plan can cost less than {_money(told['bound'])} {currency}",
        **_locality(told, currency),
        "price": _prices(known, currency),
        **(
            {"groups": f"{told['groups_released']} released, {told['groups_dark']} dark{_silent(told)}"}
            if told["units"]
            else {}
        ),
        **_faults(told),
        **({"without": ", ".join(told["without"])} if told.get("without") else {}),
        **_privacy(told, currency),
        "audit": _audited(known),
        "time": f"{told['wall_s']:.1f} s, {counted(told['rounds'], 'round')}, {told['mode']}{_recalled(told)}",
        "run": str(run.folder),
        "report": str(report),
    }
    return "\n".join(f"{label:8} {value}" for label, value in rows.items())


def _size(run: Run) -> str:
    told = run.certificate
    if not told["units"]:
        return counted(run.acceptances["order_id"].nunique(), "order")
    return f"{counted(told['units'], 'unit')} in {counted(told['buildings'], 'building')}"


def _currency(run: Run) -> str:
    import tomllib

    path = run.folder / "market" / "case" / "case.toml"
    return str(tomllib.loads(path.read_text("utf-8"))["currency"])


def _money(amount: float) -> str:
    """Two decimals, or enough of them to tell a small amount from nothing."""
    return f"{amount:,.2f}" if abs(amount) >= 1 or not round(amount, 9) else f"{amount:.4g}"


def _prices(known: dict[str, Any], currency: str) -> str:
    price, idle = known["price_per_mwh"], known["prices_indicative"]
    unset = f"{counted(idle, 'price')} set by nobody" if idle else ""
    if price is None:
        return unset or "none"
    span = f"{price['lowest']:,.2f} to {price['highest']:,.2f} {currency}/MWh, mean {price['mean']:,.2f}"
    return f"{span}; {unset}" if unset else span


def _locality(told: dict[str, Any], currency: str) -> dict[str, str]:
    """What it costs that every building nets within itself first, if that was asked for."""
    span = told.get("price_of_locality")
    return {"locality": f"{_money(span[0])} to {_money(span[1])} {currency} more than without walls"} if span else {}


def _recalled(told: dict[str, Any]) -> str:
    """Whether the clear went on where an earlier one was cut off."""
    found = told.get("questions_recalled")
    return f", gone on from a clear that was cut off after {counted(found, 'question')}" if found else ""


def _faults(told: dict[str, Any]) -> dict[str, str]:
    """Groups that failed, and how; they are settled at the default tariff."""
    faults = told.get("faults") or {}
    return {"failed": "; ".join(f"{group} {how}" for group, how in sorted(faults.items()))} if faults else {}


def _privacy(told: dict[str, Any], currency: str) -> dict[str, str]:
    """What those lose who may not speak, where it may be known."""
    price = told.get("price_of_privacy")
    return {"privacy": f"{_money(price)} {currency} at most lost by those who may not speak"} if price else {}


def _silent(told: dict[str, Any]) -> str:
    silent = told.get("silent") or ()
    return f", {len(silent)} silent today" if silent else ""


def _audited(known: dict[str, Any]) -> str:
    unchecked = f", {known['rules_not_checkable']} not checkable" if known["rules_not_checkable"] else ""
    verdict = "clean" if not known["violations"] else counted(known["violations"], "violation")
    return f"{verdict} ({counted(known['rules_checked'], 'rule')} re-checked from the files{unchecked})"
