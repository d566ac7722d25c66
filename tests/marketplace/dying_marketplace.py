"""A marketplace that kills itself at a given step: python dying_marketplace.py FOLDER STEP NUMBER; run by tests.

FOLDER holds parts/, secret (the passphrase), nodes/; what it writes are messages, run and port in FOLDER.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from planner.hearing import MARKET
from planner.marketplace.carrier import Carrier
from planner.marketplace.conductor import read_market
from planner.marketplace.service import Marketplace
from planner.security.node import open_node


def main(root: Path, step: str, number: int) -> None:
    node = open_node(root / "nodes" / MARKET, (root / "secret").read_bytes(), int(time.time()))
    node.close()
    carriers: list[Carrier] = []

    def watch(reached: str) -> None:
        if reached == step and carriers and carriers[-1].number >= number:
            os.kill(os.getpid(), signal.SIGKILL)

    class Watched(Carrier):
        def exchange(self, *asked: object) -> object:  # type: ignore[override]
            carriers.append(self)
            return super().exchange(*asked)  # type: ignore[arg-type]

    import planner.marketplace.service as service

    service.Carrier = Watched  # type: ignore[misc]
    port = int((root / "port").read_text()) if (root / "port").exists() else 0

    def listening(at: int) -> None:
        (root / "port.new").write_text(str(at))
        (root / "port.new").replace(root / "port")

    market = Marketplace(
        read_market(root / "parts" / "market"),
        node.identity,
        node.roster,
        root / "messages",
        root / "run",
        120.0,
        "127.0.0.1",
        port,
        None,
        listening,
        watch,
    )
    market.serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
