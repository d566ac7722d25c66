"""A refusal is a value with a name: the one exception of reading what others sent."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why bytes from outside were not accepted.  Fixed words only: a reason never quotes its input."""

    SIZE = "too large"
    ENCODING = "not valid UTF-8 or base64"
    SYNTAX = "not JSON"
    DEPTH = "nested too deeply or unbalanced"
    DUPLICATE = "a key appears twice"
    NUMBER = "a number that is not an exact integer"
    TEXT = "text that is not normalised and printable"
    FIELDS = "fields missing or unknown"
    CANONICAL = "not in canonical form"
    TYPE = "payload type"
    SIGNATURES = "not exactly one signature"
    UNKNOWN_KEY = "unknown key"
    WEAK_KEY = "weak key"
    VALIDITY = "key outside its validity"
    SIGNATURE = "signature"
    SENDER = "from is not the signer"
    RECIPIENT = "not for me"
    ROSTER = "roster version"
    POLICY = "policy"
    ROUND = "round"
    TIME = "time"
    UNAUTHORISED = "not authorised"
    REPLAY = "replay"
    DECRYPT = "decrypt"
    COMMITMENT = "commitment"
    PADDING = "padding"
    SCHEMA = "body schema"
    KEY_FILE = "key file damaged, not encrypted, or another passphrase"
    KEY_MODE = "key file readable by others"
    KEY_PLACE = "key file inside a repository"
    PASSPHRASE = "a passphrase that is empty"
    DESTROYED = "sealed to a key that was destroyed"
    ROOT = "another root"
    ROLLBACK = "older than what is held"
    GAP = "a version was skipped"
    FREEZE = "expired or not fetched for too long"
    THRESHOLD = "not enough signatures of the root"
    INVITE = "invite"
    STORE = "store behind its own mark"
    LOG = "log"
    FAULT = "a fault on this side"


class Refused(Exception):  # noqa: N818 - a refusal is an outcome, not an error of the program
    """Raised by every check of this package; ``reason`` goes to the own log, never to the peer."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def require(holds: bool, reason: Reason) -> None:
    """Refuse for ``reason`` unless ``holds``."""
    if not holds:
        raise Refused(reason)
