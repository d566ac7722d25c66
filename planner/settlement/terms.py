"""What a settlement needs of a case, in nano-currency: fees, default tariff, who pays uplift, the tree, tariffs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from planner.money import price_nano


@dataclass(frozen=True)
class Terms:
    """Prices in nano-currency per Wh; ``nodes``, ``tariffs`` and ``orders`` are the case's tables."""

    buy_fee_nano: int = 0
    sell_fee_nano: int = 0
    default_import_nano: int = 0
    default_export_nano: int = 0
    uplift_pro_rata: bool = False
    pay_as_bid: bool = False
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    nodes: pd.DataFrame = field(default_factory=pd.DataFrame)
    tariffs: pd.DataFrame = field(default_factory=pd.DataFrame)
    orders: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def components(self) -> list[dict[str, Any]]:
        """Rows of the tariffs, by column."""
        return _rows(self.tariffs)

    @cached_property
    def parent(self) -> Mapping[str, str]:
        """What each node stands in; empty where nothing does."""
        return self._texts("parent")

    @cached_property
    def tariff(self) -> Mapping[str, str]:
        """The tariff that each node names; empty where it names none."""
        return self._texts("tariff")

    def _texts(self, column: str) -> Mapping[str, str]:
        if self.nodes.empty or column not in self.nodes:
            return {}
        pairs = zip(self.nodes["node"], self.nodes[column], strict=True)
        return {str(node): text if isinstance(text, str) else "" for node, text in pairs}


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def terms_of(case: Any) -> Terms:
    """The terms of a planner.case.Case; locality joint is the reference without fees."""
    settings = case.settings
    fees = 0.0 if settings.allocation.locality == "joint" else 1.0
    return Terms(
        buy_fee_nano=price_nano(fees * settings.fees.market_buy_per_mwh),
        sell_fee_nano=price_nano(fees * settings.fees.market_sell_per_mwh),
        default_import_nano=price_nano(settings.default_tariff.import_per_mwh),
        default_export_nano=price_nano(settings.default_tariff.export_per_mwh),
        uplift_pro_rata=settings.settlement.uplift == "pro_rata",
        pay_as_bid=settings.market.pricing == "pay_as_bid",
        timezone=ZoneInfo(settings.timezone),
        nodes=case.nodes,
        tariffs=case.tariffs,
        orders=case.orders,
    )
