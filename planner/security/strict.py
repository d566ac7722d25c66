"""The one JSON reader and the one JSON writer of everything that is signed.

Numbers are integers of at most 2^53 - 1 in magnitude, text is printable and NFC, keys are unique.  The standard
reader keeps the last of two equal keys, takes NaN, 1e400, lone surrogates and NUL, and recurses as deep as it is
told to; two readers that differ on such input would act differently on the same signed bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from typing import Any, NoReturn

from planner.security.refusal import Reason, Refused, require

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_INTEGER = (1 << 53) - 1

# Possessive, and satisfied with a string that never ends, so that the scan stays linear.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_SAME_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def loads(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """The JSON value written in ``data``; raises Refused.  White space between tokens is allowed."""
    require(len(data) <= max_bytes, Reason.SIZE)
    _require_shallow(data)
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_integer,
        )
    except UnicodeDecodeError:
        raise Refused(Reason.ENCODING) from None
    except (ValueError, RecursionError):
        raise Refused(Reason.SYNTAX) from None
    # Plain text without an escape holds no string that could be refused; numbers and depth are checked already.
    if not (text.isascii() and text.isprintable() and "\\" not in text):
        _require_domain(value, MAX_DEPTH)
    return value


def dumps(value: Any) -> bytes:
    """The canonical bytes of ``value``: keys sorted by code point, no white space, UTF-8; raises Refused."""
    _require_domain(value, MAX_DEPTH)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def b64encode(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def b64decode(text: Any) -> bytes:
    """The bytes of canonical standard base64: exactly one text stands for them; raises Refused."""
    require(type(text) is str, Reason.FIELDS)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Reason.ENCODING) from None
    require(b64encode(data) == text, Reason.ENCODING)
    return data


def fields(value: Any, names: frozenset[str]) -> dict[str, Any]:
    """``value`` if it is an object with exactly these fields; raises Refused."""
    require(type(value) is dict and value.keys() == names, Reason.FIELDS)
    return value


def array(value: Any) -> list[Any]:
    """``value`` if it is an array; raises Refused."""
    require(type(value) is list, Reason.FIELDS)
    return value


def is_integer(value: Any, low: int = -MAX_INTEGER, high: int = MAX_INTEGER) -> bool:
    """True for an int in [low, high]; a bool is no int here."""
    return type(value) is int and low <= value <= high


def is_id(value: Any) -> bool:
    """True for a registry id: 1 to 128 letters, digits and ``. _ : / -`` of ASCII, the first a letter or digit."""
    return type(value) is str and _ID.fullmatch(value) is not None


def _require_shallow(data: bytes) -> None:
    """Peel pairs of brackets level by level before a recursive parser sees the bytes."""
    brackets = _STRING.sub(b"", data).translate(_SAME_BRACKETS, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) == len(brackets):
            break
        brackets = peeled
    require(not brackets, Reason.DEPTH)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    require(len(found) == len(pairs), Reason.DUPLICATE)
    return found


def _no_float(_: str) -> NoReturn:
    raise Refused(Reason.NUMBER)


def _integer(text: str) -> int:
    """Called once per number, so it spends no call on checking."""
    # Length first: int() of a very long text is slow.  -0 has a second spelling, so it has none here.
    if len(text) > 17 or text == "-0":
        raise Refused(Reason.NUMBER)
    number = int(text)
    if not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise Refused(Reason.NUMBER)
    return number


def _is_text(text: str) -> bool:
    """Printable excludes every control, format, surrogate, private and separator character except space."""
    return text.isprintable() and (text.isascii() or unicodedata.is_normalized("NFC", text))


def _require_domain(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str:
        require(_is_text(value), Reason.TEXT)
    elif kind is int:
        require(-MAX_INTEGER <= value <= MAX_INTEGER, Reason.NUMBER)
    elif kind is dict or kind is list or kind is tuple:
        require(depth > 0, Reason.DEPTH)
        if kind is dict:
            for name in value:
                require(type(name) is str and _is_text(name), Reason.TEXT)
        for part in value.values() if kind is dict else value:
            _require_domain(part, depth - 1)
    else:
        require(kind is bool or value is None, Reason.NUMBER)
