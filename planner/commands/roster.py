"""The roster of a city: who takes part, with which keys and rights, signed by the root."""

from __future__ import annotations

import json
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.console import Console, counted, table_in_words
from planner.commands.keys import NodePath
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile, passphrase

if TYPE_CHECKING:
    from planner.security.authority import Progress
    from planner.security.roster import Root, Roster

CityPath = Annotated[Path, typer.Argument(metavar="CITY", help="The operator's folder.", show_default=False)]
Roots = Annotated[
    list[Path] | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="A root's key folder, once for each; its public half is enough.",
        show_default=False,
    ),
]
Days = Annotated[int, typer.Option("--days", metavar="D", help="The roster expires after D days.", min=1, max=400)]
Threshold = Annotated[int, typer.Option(metavar="N", help="How many roots must sign.", min=2)]
DAYS = 35


def init(
    console: Console,
    city: CityPath,
    operator: Annotated[str, typer.Option(metavar="N", help="The operator's name.", show_default=False)],
    root: Roots = None,
    threshold: Threshold = 2,
    policy: Annotated[str, typer.Option(metavar="P", help="The disclosure rules: a preset.")] = "exchange",
    days: Days = DAYS,
) -> int:
    """Begin the roster of a city with the public keys of its roots; two of three should sign.

    \b
    Example: planner roster init city --operator city --root roots/a --root roots/b --root roots/c
    """
    from planner.security.authority import Authority

    made = Authority(city).begin(operator, _root(root, threshold), _policy(policy), _expiry(days))
    told = {"root": made.root.fingerprint, "threshold": made.root.threshold, "roots": len(made.root.keys)}
    console.result(f"root {made.root.fingerprint}\n{threshold} of {len(made.root.keys)} must sign", told)
    return Exit.DONE


def invite(
    console: Console,
    city: CityPath,
    role: Annotated[
        str,
        typer.Option(
            metavar="R",
            help="marketplace, gateway, fire-detector, water-detector, fire-service, water-service, bridge.",
            show_default=False,
        ),
    ],
    zone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="Z", help="A release group or place it speaks for or watches; repeat.", show_default=False
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="N", help="Its name  [role and six random digits]", show_default=False)
    ] = None,
) -> int:
    """Print an invite for one node: good for one request within 24 hours.

    Hand it over by a way that the network does not see.

    \b
    Example: planner roster invite city --role gateway --zone b01
    """
    from planner.security.authority import Authority

    offer = Authority(city).invite(name or f"{role}.{secrets.token_hex(3)}", role, zone or [], int(time.time()))
    console.note(f"for {offer.name}, until {_time(offer.expires_at)}")
    console.result(offer.token, {"invite": offer.token, "name": offer.name, "expires": _time(offer.expires_at)})
    return Exit.DONE


def enrol(
    console: Console,
    city: CityPath,
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="What the node sent.", show_default=False)],
    fingerprint: Annotated[
        str | None,
        typer.Option(metavar="F", help="What its holder read out; asked for on a terminal.", show_default=False),
    ] = None,
    days: Days = DAYS,
) -> int:
    """Take a node's request into the next roster: a new node by its invite, a known one by its keys.

    \b
    Example: planner roster enrol city request.json --fingerprint "1f2e 3d4c"
    """
    from planner.security.authority import Authority
    from planner.security.invites import card_in

    data, at = request.read_bytes(), int(time.time())
    _compare(fingerprint, card_in(data).fingerprint)
    entity = Authority(city).enrol(data, at, at + days * 86400)
    zones = ", ".join(sorted(entity.zones)) or "no zones"
    told = {"name": entity.name, "role": entity.role, "zones": sorted(entity.zones)}
    console.result(f"{entity.name}: {entity.role}, {zones}", told)
    return Exit.DONE


def revoke(
    console: Console,
    city: CityPath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who is to go.", show_default=False)],
    days: Days = DAYS,
) -> int:
    """Take an entity out of the next roster: where that roster is held, its messages are refused.

    \b
    Example: planner roster revoke city gateway.7f3a2b
    """
    from planner.security.authority import Authority

    draft = Authority(city).revoke(name, _expiry(days))
    console.result(f"{name} is not in roster {draft.version}", {"name": name, "version": draft.version})
    return Exit.DONE


def renew(
    console: Console,
    city: CityPath,
    days: Days = DAYS,
    policy: Annotated[
        str | None, typer.Option(metavar="P", help="Other disclosure rules: a preset.", show_default=False)
    ] = None,
    root: Roots = None,
    threshold: Threshold = 2,
) -> int:
    """Prepare the next roster with a later expiry, and if asked with other rules or another root.

    A change of root is signed by enough keys of the old root and of the new one.

    \b
    Example: planner roster renew city --days 35
    """
    from planner.security.authority import Authority

    changed = _root(root, threshold) if root else None
    draft = Authority(city).change(_expiry(days), changed, None if policy is None else _policy(policy))
    told = {"version": draft.version, "expires": _time(draft.expires_at), "root": draft.root.fingerprint}
    console.result(f"roster {draft.version} in preparation, expires {_time(draft.expires_at)}", told)
    return Exit.DONE


def sign(
    console: Console,
    city: CityPath,
    key: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of a root's key.", show_default=False)],
    passphrase_file: PassphraseFile = None,
) -> int:
    """Sign the roster in preparation with one root key; with enough of them it is published as CITY/roster.json.

    \b
    Example: planner roster sign city --key roots/a
    """
    from planner.security.authority import Authority
    from planner.security.keyfiles import load_signer, read_card

    signer = load_signer(key, read_card(key).newest, passphrase(passphrase_file))
    progress = Authority(city).sign(signer, int(time.time()))
    told = {"version": progress.version, "complete": progress.complete, "signatures": len(progress.signed)}
    console.result(_in_words(progress, city), told)
    return Exit.DONE


def show(
    console: Console,
    place: Annotated[
        Path,
        typer.Argument(metavar="PLACE", help="CITY, NODE, or a roster file; nothing is verified.", show_default=False),
    ],
    draft: Annotated[bool, typer.Option("--draft", help="The roster in preparation.")] = False,
    rights: Annotated[bool, typer.Option("--rights", help="The table of rights too.")] = False,
) -> int:
    """Show who is in a roster, with which zones and until when, and who reads alerts where.

    \b
    Example: planner roster show city
    """
    roster, at = _roster_at(place, draft), int(time.time())
    rows = [["name", "role", "zones", "signing key until", "sealing key until"]]
    for entity in roster.entities:
        ends = max(r.valid_until for r in entity.signing), max(r.valid_until for r in entity.sealing)
        rows.append([entity.name, entity.role, " ".join(sorted(entity.zones)) or "-", *map(_time, ends)])
    lines = [f"roster {roster.version}, expires {_time(roster.expires_at)}", f"root {roster.root.fingerprint}"]
    lines += [f"policy {roster.policy}", "", table_in_words(rows)]
    told: dict[str, Any] = json.loads(roster.to_bytes())
    if rights:
        table = [["role", "may", "type", "stream"]]
        table += [[rule.role, str(rule.action), rule.type, rule.stream] for rule in roster.rules]
        lines += ["", table_in_words(table)]
    told["alerts"] = _alert_readers(roster, at)
    lines += ["", *(f"{zone} {kind}: {', '.join(names)}" for (zone, kind), names in _pairs(told["alerts"]))]
    console.result("\n".join(lines).rstrip(), told)
    return Exit.DONE


def verify(
    console: Console,
    roster: Annotated[Path, typer.Argument(metavar="ROSTER", help="A signed roster.", show_default=False)],
    root: Annotated[
        str | None, typer.Option(metavar="F", help="The root's fingerprint, told out of band.", show_default=False)
    ] = None,
    node: Annotated[
        Path | None, typer.Option(metavar="NODE", help="As the next roster of this node.", show_default=False)
    ] = None,
) -> int:
    """Verify a roster: signatures of the root, expiry, and for a node that it is the very next version.

    \b
    Example: planner roster verify city/roster.json --root 0f1e2d
    """
    from planner.security.rosterstore import RosterStore
    from planner.security.trust import first_roster, succeeding_roster

    data, at = roster.read_bytes(), int(time.time())
    if (root is None) == (node is None):
        raise refuse("one of --root and --node is needed", "a signature says nothing without a key that is trusted")
    if root is not None:
        good = first_roster(data, root, at)
    else:
        assert node is not None
        store = RosterStore(node / "roster")
        held = store.held().roster
        good = held if data == store.document(held.version) else succeeding_roster(held, data, at)
    told = {"version": good.version, "entities": len(good.entities), "expires": _time(good.expires_at)}
    console.result(
        f"roster {good.version} verifies: {len(good.entities)} in it, expires {_time(good.expires_at)}", told
    )
    return Exit.DONE


def accept(
    console: Console,
    node: NodePath,
    rosters: Annotated[
        list[Path],
        typer.Argument(metavar="ROSTER...", help="The next roster, or several in order.", show_default=False),
    ],
    root: Annotated[
        str | None,
        typer.Option(metavar="F", help="For the first: the root's fingerprint  [the invite's]", show_default=False),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Let a node trust a roster: the first by the root's fingerprint, each next by the one before.

    A node that has not done so for a day stops sending.

    \b
    Example: planner roster accept nodes/gateway city/roster.json
    """
    from planner.security.node import start_node
    from planner.security.rosterstore import RosterStore

    store, at = RosterStore(node / "roster"), int(time.time())
    for path in rosters:
        data = path.read_bytes()
        if store.is_empty:
            start_node(node, data, root or _invited_root(node), passphrase(passphrase_file), at)
        else:
            store.accept(data, at)
    held = store.held().roster
    told = {"version": held.version, "expires": _time(held.expires_at)}
    console.result(f"{node} trusts roster {held.version}, expires {_time(held.expires_at)}", told)
    return Exit.DONE


def _root(folders: list[Path] | None, threshold: int) -> Root:
    from planner.security.keyfiles import read_card
    from planner.security.roster import Root

    if not folders:
        raise refuse(
            "no root keys", "make three with planner keys new FOLDER --root --name root.a, name each by --root"
        )
    return Root(tuple(read_card(folder).newest.public for folder in folders), threshold)


def _policy(name: str) -> str:
    from planner.problems import suggest
    from planner.security.policy import PRESETS

    if name not in PRESETS:
        raise refuse(f"'{name}' is no preset", suggest(name, PRESETS))
    return PRESETS[name].sha256


def _compare(read_out: str | None, computed: str) -> None:
    if read_out is None:
        if not sys.stdin.isatty():
            raise refuse("no fingerprint to compare with", "give --fingerprint as the holder read it out")
        if not typer.confirm(f"Does the holder read out  {computed} ?", err=True):
            raise refuse("not enrolled: the fingerprints differ")
        return
    if "".join(read_out.lower().split()) != computed.replace(" ", ""):
        raise refuse("the fingerprint read out is not that of the request", "the request was exchanged on its way")


def _roster_at(place: Path, draft: bool) -> Roster:
    from planner.security.authority import Authority
    from planner.security.documents import ROSTER_TYPE, payload_of
    from planner.security.roster import Roster
    from planner.security.rosterstore import RosterStore

    if place.is_file():
        return Roster.from_bytes(payload_of(place.read_bytes(), ROSTER_TYPE))
    if (place / "operator.json").is_file():
        found = Authority(place).draft if draft else Authority(place).current
        if found is None:
            raise refuse("no such roster yet", "try with --draft" if not draft else "try without --draft", str(place))
        return found
    return RosterStore(place / "roster").held().roster


def _alert_readers(roster: Roster, at: int) -> dict[str, dict[str, list[str]]]:
    from planner.security.rights import ALERTS

    zones = sorted({zone for entity in roster.entities for zone in entity.zones})
    found = {z: {k: [e.name for e in roster.readers(k, z, at)] for k in ALERTS} for z in zones}
    return {zone: {k: names for k, names in kinds.items() if names} for zone, kinds in found.items()}


def _pairs(told: dict[str, dict[str, list[str]]]) -> list[tuple[tuple[str, str], list[str]]]:
    return [((zone, kind), names) for zone, kinds in told.items() for kind, names in kinds.items()]


def _invited_root(node: Path) -> str:
    path = node / "invited.json"
    if not path.is_file():
        raise refuse("which root is to be trusted?", "give its fingerprint with --root", str(node))
    return str(json.loads(path.read_text())["root"])


def _in_words(progress: Progress, city: Path) -> str:
    if progress.complete:
        return f"roster {progress.version} is signed: {city / 'roster.json'}"
    old, new = progress.missing_old, progress.missing_new
    if not progress.root_changes:
        return f"roster {progress.version} wants {counted(new, 'more signature')}"
    return f"roster {progress.version} wants {old} more of the old root and {new} more of the new root"


def _expiry(days: int) -> int:
    return int(time.time()) + days * 86400


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")


COMMANDS = {
    "init": init,
    "invite": invite,
    "enrol": enrol,
    "revoke": revoke,
    "renew": renew,
    "sign": sign,
    "show": show,
    "verify": verify,
    "accept": accept,
}
