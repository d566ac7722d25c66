"""Private keys of a node or of a root: make, show, replace, check."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.console import Console, counted, table_in_words
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile, passphrase

if TYPE_CHECKING:
    from planner.security.cards import Card

NodePath = Annotated[
    Path, typer.Argument(metavar="NODE", help="The folder of a node's keys and roster.", show_default=False)
]
SOON_S = 10 * 86400


def new(
    console: Console,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Where the keys will lie, readable by you alone.", show_default=False),
    ],
    invite: Annotated[
        str | None,
        typer.Option(metavar="I", help="The invite of an operator, or a file that holds it.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="N", help="A name, where there is no invite.", show_default=False)
    ] = None,
    root: Annotated[bool, typer.Option("--root", help="A key that signs rosters; nobody can seal to it.")] = False,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Make keys: with an invite also the request that answers it.

    FOLDER/request.json goes back to the operator; the fingerprint is read to him by another way.

    \b
    Example: planner keys new nodes/gateway --invite invite-gateway.txt
    """
    from planner.security.hpke import Kem
    from planner.security.invites import Invite, request
    from planner.security.keyfiles import load_identity
    from planner.security.keyring import new_keys

    if (invite is None) == (name is None):
        raise refuse("one of --invite and --name is needed", "an operator makes invites with planner roster invite")
    if root and invite is not None:
        raise refuse("the key of a root has no invite", "give --name and --root")
    offer = None if invite is None else Invite.from_token(_text_or_file(invite))
    secret, at = passphrase(passphrase_file, new=True), int(time.time())
    called = offer.name if offer is not None else name
    assert called is not None
    card = new_keys(folder, called, secret, at, None if root else Kem.MLKEM768_X25519)
    if offer is not None:
        data = request(card, offer, load_identity(folder, secret, at).signer)
        (folder / "request.json").write_bytes(data)
        (folder / "invited.json").write_text(json.dumps({"operator": offer.operator, "root": offer.root}) + "\n")
        console.note(f"send {folder / 'request.json'} to {offer.operator}, and read out the fingerprint")
    console.result(f"{card.name}\nfingerprint {card.fingerprint}", _card(card, at))
    return Exit.DONE


def show(console: Console, node: NodePath) -> int:
    """Show the public side of a folder's keys; no passphrase is needed.

    \b
    Example: planner keys show nodes/gateway
    """
    from planner.security.keyfiles import read_card

    card, at = read_card(node), int(time.time())
    told = _card(card, at)
    rows = [["key", "id", "from", "until", ""]]
    rows += [[k["kind"], k["id"], k["from"], k["until"], k["state"]] for k in told["keys"]]
    console.result(f"{card.name}\nfingerprint {card.fingerprint}\n\n{table_in_words(rows)}", told)
    return Exit.DONE


def rotate(
    console: Console,
    node: NodePath,
    signing: Annotated[bool, typer.Option("--signing", help="A new signing key (once a year).")] = False,
    sealing: Annotated[bool, typer.Option("--sealing", help="A new sealing key (once a month).")] = False,
    ahead_days: Annotated[
        int, typer.Option("--ahead-days", metavar="D", help="The new sealing key begins in D days.", min=0, max=90)
    ] = 0,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Make new keys beside the old ones, and the request that tells the operator.

    Until a roster lists the new signing key the old one signs.  Sealing keys that ended more than 14 days ago are
    destroyed: what was sealed to them can never be opened again.

    \b
    Example: planner keys rotate nodes/gateway --sealing
    """
    from planner.security.invites import renewal
    from planner.security.keyfiles import load_identity, load_signer, read_card
    from planner.security.keyring import rotate_sealing, rotate_signing
    from planner.security.refusal import Reason, Refused
    from planner.security.rosterstore import RosterStore

    if not (signing or sealing):
        raise refuse("nothing to rotate", "give --signing, --sealing or both")
    secret, at = passphrase(passphrase_file), int(time.time())
    roster = RosterStore(node / "roster").held().roster
    entity = roster.entity(read_card(node).name)
    if entity is None:
        raise Refused(Reason.UNKNOWN_KEY)
    listed = load_identity(node, secret, at, roster).signer
    if signing:
        rotate_signing(node, secret, at)
    if sealing:
        rotate_sealing(node, secret, at, ahead_days * 86400)
    card = read_card(node)
    newest = load_signer(node, card.newest, secret)
    operator = json.loads((node / "invited.json").read_text())["operator"]
    (node / "request.json").write_bytes(renewal(card, entity, operator, [listed, newest]))
    console.note(f"send {node / 'request.json'} to {operator}, and read out the fingerprint")
    console.result(f"{card.name}\nfingerprint {card.fingerprint}", _card(card, at))
    return Exit.DONE


def check(
    console: Console,
    node: NodePath,
    envelope: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Say whether this envelope could be opened here.", show_default=False),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Check a node before it starts: files, passphrase, roster, database, and what ends within ten days.

    Exit code 1 if it would not start.

    \b
    Example: planner keys check nodes/gateway
    """
    from planner.security.node import open_node

    secret, at = passphrase(passphrase_file), int(time.time())
    opened = open_node(node, secret, at)
    ending = _ending(node, opened.roster, at)
    lines = [f"{opened.identity.name}: starts under roster {opened.roster.version}"]
    lines += [f"ends {_day(until)}: {what}" for until, what in ending]
    told: dict[str, Any] = {"name": opened.identity.name, "roster": opened.roster.version}
    told["ending"] = [{"until": _day(until), "what": what} for until, what in ending]
    code = Exit.DONE
    if envelope is not None:
        verdict = _can_open(node, envelope.read_bytes().strip(), at)
        lines.append(f"{envelope}: {verdict or 'sealed to a key that is here'}")
        told["envelope"] = verdict
        code = Exit.NOT_CLEAN if verdict else Exit.DONE
    opened.close()
    console.result("\n".join(lines), told)
    return code


def vouch(
    console: Console,
    node: NodePath,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="F", help="Where to write it.", show_default=False)],
    passphrase_file: PassphraseFile = None,
) -> int:
    """Sign which numbers this node gave to its messages, for a peer that lost its database.

    \b
    Example: planner keys vouch nodes/gateway -o gateway.vouch
    """
    from planner.security.marks import sign_statement
    from planner.security.node import open_node

    at = int(time.time())
    opened = open_node(node, passphrase(passphrase_file), at)
    out.write_bytes(sign_statement(opened.store, opened.identity.name, opened.identity.signer, at))
    opened.close()
    console.result(f"wrote {out}", {"file": str(out)})
    return Exit.DONE


def recover(
    console: Console,
    node: NodePath,
    statements: Annotated[
        list[Path], typer.Argument(metavar="F...", help="What every peer vouched for.", show_default=False)
    ],
    passphrase_file: PassphraseFile = None,
) -> int:
    """Begin a new database after the old one was lost or put back from a backup.

    Everybody who may write to this node has to vouch for the numbers given: nothing older is ever acted on again.
    The old database, if there is one, is kept as node.sqlite.lost.

    \b
    Example: planner keys recover nodes/market gateway.vouch
    """
    from planner.security.node import recover_node

    at = int(time.time())
    recover_node(node, [path.read_bytes() for path in statements], passphrase(passphrase_file), at)
    console.result(
        f"{node}: a new database, brought up to {counted(len(statements), 'statement')}", {"node": str(node)}
    )
    return Exit.DONE


def _text_or_file(given: str) -> str:
    return given if given.startswith("invite-") else Path(given).read_text(encoding="utf-8").strip()


def _ending(node: Path, roster: Any, at: int) -> list[tuple[int, str]]:
    from planner.security.keyfiles import read_card

    card = read_card(node)
    ends = [(card.newest.valid_until, "signing key; planner keys rotate --signing")]
    if card.sealing:
        ends.append((card.sealing[-1].valid_until, "sealing key; planner keys rotate --sealing"))
    ends.append((roster.expires_at, "roster; the operator signs the next one"))
    return sorted(end for end in ends if end[0] < at + SOON_S)


def _can_open(node: Path, data: bytes, at: int) -> str:
    """Why an envelope cannot be opened here; empty if its key is here."""
    from planner.security.keyfiles import read_card
    from planner.security.keyring import destroyed
    from planner.security.opening import sealed_to
    from planner.security.refusal import Reason

    card, readers = read_card(node), sealed_to(data)
    here = {record.public.key_id for record in card.sealing}
    if readers & (here - destroyed(card, at)):
        return ""
    return str(Reason.DESTROYED if readers & here else Reason.RECIPIENT)


def _card(card: Card, at: int) -> dict[str, Any]:
    keys = [("signing", r.key_id, r.valid_from, r.valid_until) for r in card.signing]
    keys += [("sealing", r.public.key_id, r.valid_from, r.valid_until) for r in card.sealing]
    rows = [
        {"kind": kind, "id": key_id, "from": _day(begin), "until": _day(end), "state": _state(kind, begin, end, at)}
        for kind, key_id, begin, end in keys
    ]
    return {"name": card.name, "fingerprint": card.fingerprint, "keys": rows}


def _state(kind: str, begin: int, end: int, at: int) -> str:
    from planner.security.cards import KEEP_S

    if at < begin:
        return "begins later"
    if at < end:
        return "in use"
    return "destroyed" if kind == "sealing" and at >= end + KEEP_S else "ended"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


COMMANDS = {"new": new, "show": show, "rotate": rotate, "check": check, "vouch": vouch, "recover": recover}
