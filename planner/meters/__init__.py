"""Meter exports of any format to one canonical table, with a report of everything found on the way."""

from planner.meters.align import align
from planner.meters.read import Metered, files_in, ingest, read_meters
from planner.meters.report import FileReport

__all__ = ["FileReport", "Metered", "align", "files_in", "ingest", "read_meters"]
