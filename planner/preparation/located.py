"""Every asset of the case with the node it stands at."""

from __future__ import annotations

from planner.preparation.appliances import appliances
from planner.preparation.desk import Desk
from planner.preparation.loads import flexible, loads
from planner.preparation.plants import plants
from planner.preparation.storage import batteries, generators
from planner.preparation.vehicles import vehicles
from planner_models.words import Asset

READERS = (loads, flexible, plants, batteries, vehicles, appliances, generators)


def located_assets(desk: Desk) -> list[tuple[str, Asset]]:
    """(node, asset), in the order of the tables and their ids."""
    return [found for read in READERS for found in read(desk)]
