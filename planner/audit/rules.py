"""The rules an audit re-checks: key -> one sentence, the same keys as in models/FORMULATION.md."""

from __future__ import annotations

RULES: dict[str, str] = {
    "C1": "the intervals are those of the civil delivery day, and every row's interval and start agree",
    "C2": "a load serves between nothing and what it needs",
    "C3": "sun and wind produce between nothing and what is available",
    "C4": "a battery's state follows from charging, discharging and losses, within its limits",
    "C5": "a battery never charges and discharges in one interval",
    "C6": "a vehicle charges only while it is there, at its power or not at all, and never more than it needs",
    "C7": "an appliance runs its whole profile once, inside its window, or not at all",
    "C8": "a flexible load stays below its maximum; what leaves its bands is a priced deviation",
    "C9": "a generator keeps its output range and its minimum times on and off",
    "C10": "a unit's net use is the sum of its assets and keeps the limits of its connection",
    "C11": "a unit's position is net use minus allocation plus what is withheld, withheld within the allocation",
    "C12": "a building's position is the sum of its units' positions and its losses",
    "C13": "a building's net use keeps the limits of its connection",
    "C14": "every zone balances in every interval, to the Wh",
    "C15": "feeders keep their limits",
    "C16": "the exchange with the neighbour keeps its limits and goes one way at a time",
    "C17": "lines keep their limits",
    "C18": "orders are accepted within their terms; the rows of a block share one ratio",
    "C19": "allocations add up and are backed by contracts",
    "C20": "the objective is the cost of what is implemented",
    "C21": "the bound is below the objective and the gaps are what it says",
    "C22": "objective minus bound at the published prices is the lost opportunity of all, none negative",
    "C23": "prices are legal; accepted steps are in the money and rejected ones out of it, or the reason says so",
    "C24": "the certificate is that of these files: its counts, its pieces and the digest of every table",
    "S1": "internal trade is the smaller of need and surplus, shared pro rata",
    "S2": "the internal price lies on the right end of the marketplace price and its fee",
    "S3": "after make-whole nobody is worse off than without trade",
    "S4": "every ledger sums to zero",
    "S5": "a line's amount is its energy times its price; statements are the settlement in cents",
    "S6": "the energy in the ledgers is that of positions, trades and allocations",
    "R1": "every envelope is signed by the gateway it names and addressed to a known reader",
    "R2": "a message carries whole numbers in known fields and nothing else",
    "R3": "a group that speaks has enough occupants",
    "R4": "no occupant dominates a group, by contract or in an interval",
    "R5": "enough occupants are active in every interval in which a group has a position",
    "R6": "only groups that passed speak, for whole days, and what they sent is what was cleared",
}

HOME = {
    "units": "C11",
    "position": "C12",
    "dispatch": "C10",
    "answer": "C20",
    "trades": "S1",
    "settlement": "S4",
    "statements": "S5",
    "prices": "C23",
    "positions": "C14",
    "groups": "C14",
    "exchange": "C14",
    "acceptances": "C18",
    "flows": "C17",
    "certificate": "C21",
    "roster": "R1",
    "case": "C1",
    "loads": "C2",
    "profiles": "C2",
    "solar": "C3",
    "wind": "C3",
    "batteries": "C4",
    "vehicles": "C6",
    "appliances": "C7",
    "flexible": "C8",
    "generators": "C9",
    "nodes": "C10",
    "limits": "C13",
    "grid": "C16",
    "lines": "C17",
    "orders": "C18",
    "allocations": "C19",
    "supply": "C19",
}
"""The rule that a file is evidence for in the first place, by its name."""


def home_rule(file: str) -> str:
    """The rule that a damaged file violates."""
    name = file.rsplit("/", 1)[-1].split(":")[0].split(".")[0]
    return HOME.get(name, "C1")
