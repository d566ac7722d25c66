"""Order books cleared exactly: a case without buildings, its rules of pricing, and what is written of a clear."""

from planner.orderbook.market import MarketRun, MarketRuns, NoAnswerError, market

__all__ = ["MarketRun", "MarketRuns", "NoAnswerError", "market"]
