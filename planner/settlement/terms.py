"""What a settlement needs of a case, in nano-currency: fees, default tariff, who pays uplift, the tree, tariffs."""

from __future__ import annotations

from dataclasses import dataclass, field
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
