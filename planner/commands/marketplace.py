"""The marketplace as a service, and a whole city on one machine to try it."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.common import ClearId, Date
from planner.commands.console import Console
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile, passphrase

if TYPE_CHECKING:
    from planner.marketplace.service import Marketplace

NodeOption = Annotated[
    Path, typer.Option("--node", metavar="NODE", help="The folder of its keys and roster.", show_default=False)
]


def serve(
    console: Console,
    market: Annotated[Path, typer.Argument(metavar="MARKET", help="The market folder of a split.", show_default=False)],
    node: NodeOption,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="The run it writes.", show_default=False)],
    host: Annotated[str, typer.Option(metavar="H", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", help="0 takes a free one, and says which.")] = 8470,
    standby_of: Annotated[
        str | None,
        typer.Option(
            "--standby-of", metavar="URL", help="Copy that one, and go on once it is gone.", show_default=False
        ),
    ] = None,
    patience: Annotated[float, typer.Option(metavar="S", help="Seconds to wait for a gateway's answer.")] = 600.0,
    state: Annotated[
        Path | None, typer.Option(metavar="F", help="Its store of messages  [RUN.messages]", show_default=False)
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--tls", metavar="PEM", help="Serve https: certificate and key in one file.", show_default=False),
    ] = None,
    date: Date = None,
    clear_id: ClearId = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP", help="A group that stays out, as one that was tripped; repeat.", show_default=False
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Serve one clear: ask the gateways, set the prices, write the marketplace's part of the run, and end.

    Killed and started again with the same RUN it goes on where it stopped.  While it runs it relays alerts, which it
    cannot read; planner marketplace relay does so all the time.

    \b
    Example: planner marketplace serve gateways/market --node nodes/marketplace -o runs/market
    Example: planner marketplace serve gateways/market --node nodes/marketplace -o runs/again --clear-id 2026-10-25.2
    """
    from planner.commands.nodes import opened, require_port, require_role
    from planner.ledger import refuse_taken
    from planner.marketplace.conductor import read_market
    from planner.marketplace.service import Marketplace
    from planner.marketplace.standby import Standby

    store = state or out.with_name(out.name + ".messages")
    if not store.exists():
        refuse_taken(out)
    tls = _tls(certificate)
    read = read_market(market, date, clear_id, without or ())
    at = opened(node, passphrase(passphrase_file), read.case, read.clear_id)
    require_role(node, at.roster, at.me.name, "marketplace")
    require_port(host, port)
    store.parent.mkdir(parents=True, exist_ok=True)
    scheme = "https" if certificate else "http"
    common: dict[str, Any] = {
        "patience_s": patience,
        "host": host,
        "port": port,
        "tls": tls,
        "listening": lambda port: console.note(f"listening at {scheme}://{host}:{port}"),
        "journal": at.journal,
        "say": console.note,
    }
    service: Marketplace
    if standby_of:
        service = Standby(read, at.me, at.roster, store, out, **common, primary=standby_of)
    else:
        service = Marketplace(read, at.me, at.roster, store, out, **common)
    try:
        return _outcome(console, service, out)
    finally:
        at.journal.close()


def _tls(certificate: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate)
    except OSError as error:  # one of ssl is one of these
        hint = "a PEM file that holds the certificate, its chain, and its key without a passphrase"
        raise refuse(f"cannot be served with: {error.strerror or error}".lower(), hint, str(certificate)) from None
    return context


def _outcome(console: Console, service: Marketplace, out: Path) -> int:
    from planner.marketplace.carrier import DesertedError

    began = time.monotonic()
    try:
        cleared = service.serve()
    except DesertedError:
        hint = "they may be with another marketplace; started again with the same RUN this one goes on"
        console.error("too few gateways are here to tell who is gone, and nothing was written", hint)
        return Exit.NOT_CLEAN
    if cleared is None:
        console.error("stopped before the day was settled", "start it again with the same RUN")
        return Exit.INTERRUPTED
    told = {
        "run": str(out),
        "groups": sum(not b.dark for b in cleared.buildings),
        "dark": sum(b.dark for b in cleared.buildings),
        "objective": cleared.certificate["objective"],
        "gap": cleared.certificate["gap_relative"],
        "seconds": round(time.monotonic() - began, 1),
        "refused": service.office.refused,
    }
    text = f"{told['groups']} groups traded, {told['dark']} did not; cost {told['objective']:.2f}"
    console.result(f"{text}, {told['seconds']} s, {told['refused']} messages refused\nrun      {out}", told)
    return Exit.DONE


def demo(
    console: Console,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="A new folder.", show_default=False)],
    gateways: Annotated[int, typer.Option(metavar="N", help="Buildings, a gateway process each.", min=5, max=50)] = 10,
    units: Annotated[int, typer.Option(metavar="N", help="Units of each building.", min=1, max=50)] = 30,
    slot: Annotated[float, typer.Option(metavar="S", help="Seconds between two messages of a gateway.")] = 0.25,
) -> int:
    """Try it on one machine: a city, keys, a marketplace and ten gateways as processes, one day, and an end.

    \b
    Example: planner marketplace demo -o demo
    """
    from planner.marketplace.demo import Demo, DemoFailedError

    if out.exists():
        raise refuse("is taken", "use -o with a new folder", out.name)
    demo = Demo(out, gateways, units, slot, console.note)
    try:
        told = demo.run()
    except DemoFailedError as failed:
        console.error(str(failed), f"see the words of every process below {out / 'words'}")
        return Exit.NOT_CLEAN
    console.result(demo.in_words(told), told)
    return Exit.DONE


def relay(
    console: Console,
    node: NodeOption,
    host: Annotated[str, typer.Option(metavar="H", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", help="0 takes a free one, and says which.")] = 8471,
    certificate: Annotated[
        Path | None,
        typer.Option("--tls", metavar="PEM", help="Serve https: certificate and key in one file.", show_default=False),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Relay alerts until stopped, clear or no clear: from whoever may raise them to whoever the roster lets read them.

    It cannot read them, and every reply is as long as what it answers.  Nothing is kept: sources repeat themselves.

    \b
    Example: planner marketplace relay --node nodes/marketplace --port 8471
    """
    import asyncio
    import threading

    from planner.commands.nodes import require_port, require_role, taking_part
    from planner.marketplace.mail import now
    from planner.marketplace.relay import ALERTING, Relay
    from planner.marketplace.service import serve_relay
    from planner.security.journal import Journal
    from planner.security.opening import message_hash
    from planner.security.refusal import Refused

    opened = taking_part(node, passphrase(passphrase_file))
    me, roster = opened.identity, opened.roster
    require_role(node, roster, me.name, "marketplace")
    require_port(host, port)
    journal = Journal(node / "node.sqlite", me, ALERTING, now)

    def refused(reason: Refused, data: bytes) -> None:
        journal.refused(message_hash(data), reason.reason)

    scheme, tls = "https" if certificate else "http", _tls(certificate)
    carrying = Relay(me, roster, now, refused)
    try:
        asyncio.run(
            serve_relay(
                carrying,
                host,
                port,
                tls,
                lambda port: console.note(f"listening at {scheme}://{host}:{port}"),
                threading.Event(),
            )
        )
    except KeyboardInterrupt:
        console.result(f"{carrying.relayed} alerts, heartbeats and answers relayed", {"relayed": carrying.relayed})
        return Exit.DONE
    finally:
        journal.close()
    return Exit.DONE


COMMANDS = {"serve": serve, "relay": relay, "demo": demo}
