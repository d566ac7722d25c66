"""The strict JSON reader against everything the standard one lets through (T-E15 … T-E22)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.security import strict
from planner.security.refusal import Reason, Refused

BAD = {
    "T-E15 duplicate key": (b'{"k":1,"k":2}', Reason.DUPLICATE),
    "T-E15 duplicate by escape": (b'{"k":1,"\\u006b":2}', Reason.DUPLICATE),
    "T-E16 NaN": (b"[NaN]", Reason.NUMBER),
    "T-E16 Infinity": (b"[-Infinity]", Reason.NUMBER),
    "T-E16 1e400": (b"[1e400]", Reason.NUMBER),
    "T-E16 0.1": (b"[0.1]", Reason.NUMBER),
    "T-E16 1.0": (b"[1.0]", Reason.NUMBER),
    "T-E16 minus zero": (b"[-0]", Reason.NUMBER),
    "T-E17 2^53": (b"[9007199254740992]", Reason.NUMBER),
    "T-E17 -2^53": (b"[-9007199254740992]", Reason.NUMBER),
    "T-E17 5,000 digits": (b"[" + b"9" * 5000 + b"]", Reason.NUMBER),
    "T-E19 17 levels": (b"[" * 17 + b"]" * 17, Reason.DEPTH),
    "T-E19 100,000 levels": (b"[" * 100_000 + b"]" * 100_000, Reason.DEPTH),
    "T-E19 100,000 objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, Reason.DEPTH),
    "T-E19 two MiB": (b'["' + b"a" * (2 << 20) + b'"]', Reason.SIZE),
    "T-E19 gzip header": (b"\x1f\x8b\x08\x00" + b"\x00" * 64, Reason.ENCODING),
    "T-E20 BOM": (b"\xef\xbb\xbf{}", Reason.SYNTAX),
    "T-E20 second object": (b"{}{}", Reason.SYNTAX),
    "T-E20 invalid UTF-8": (b'["\xff"]', Reason.ENCODING),
    "T-E20 overlong UTF-8": (b'["\xc0\xaf"]', Reason.ENCODING),
    "T-E20 lone surrogate": (b'["\\ud800"]', Reason.TEXT),
    "T-E20 NUL": (b'["\x00"]', Reason.SYNTAX),
    "T-E20 escaped NUL": (b'["\\u0000"]', Reason.TEXT),
    "T-E20 empty": (b"", Reason.SYNTAX),
    "T-E21 NFD": ('["e\u0301"]'.encode(), Reason.TEXT),
    "T-E21 zero width": ('["a\u200bb"]'.encode(), Reason.TEXT),
    "T-E21 bidi": ('["a\u202eb"]'.encode(), Reason.TEXT),
    "T-E21 in a key": ('{"a\u200b":1}'.encode(), Reason.TEXT),
    "T-E21 line separator": ('["a\u2028b"]'.encode(), Reason.TEXT),
    "T-E21 no-break space": ('["a\u00a0b"]'.encode(), Reason.TEXT),
    "T-E21 private use": ('["\ue000"]'.encode(), Reason.TEXT),
    "DEL": (b'["\x7f"]', Reason.TEXT),
    "single quotes": (b"{'a':1}", Reason.SYNTAX),
    "trailing comma": (b"[1,]", Reason.SYNTAX),
    "leading zero": (b"[01]", Reason.SYNTAX),
    "unbalanced": (b'{"a":[1}', Reason.DEPTH),
}


@pytest.mark.parametrize("case", BAD)
def test_refuses(case: str) -> None:
    data, reason = BAD[case]
    with pytest.raises(Refused) as caught:
        strict.loads(data)
    assert caught.value.reason is reason


def test_accepts_the_edges_of_its_domain() -> None:
    assert strict.loads(b"[9007199254740991,-9007199254740991,0]") == [2**53 - 1, 1 - 2**53, 0]
    assert strict.loads(b"[" * 16 + b"]" * 16) is not None
    assert strict.loads('{"é ":[true,null,"\\u00e9"]}'.encode()) == {"é ": [True, None, "é"]}
    assert strict.loads(b' { "a" : 1 } ') == {"a": 1}
    assert strict.loads(b'["[[[[[[[[[[[[[[[[[[[[[", "\\"]", "{"]') == ["[" * 21, '"]', "{"]


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * strict.MAX_BYTES,
        b"[]" * (strict.MAX_BYTES // 2),
        b'"' + b'\\"' * (strict.MAX_BYTES // 2 - 1),
        b'"' * strict.MAX_BYTES,
        b"[" + b"9" * (strict.MAX_BYTES - 2) + b"]",
    ],
    ids=["open", "pairs", "escapes", "quotes", "digits"],
)
def test_T_E19_hostile_input_is_refused_quickly(hostile: bytes) -> None:
    """T-E19: a megabyte made to be slow.  Linear work takes milliseconds; quadratic would take minutes."""
    started = time.perf_counter()
    with pytest.raises(Refused):
        strict.loads(hostile)
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53, "e\u0301", "\ud800", b"x", {1: 2}, {"a": {1, 2}}])
def test_the_writer_writes_nothing_the_reader_would_refuse(value: Any) -> None:
    with pytest.raises(Refused):
        strict.dumps({"v": value})


_values = st.recursive(
    st.booleans() | st.none() | st.integers(1 - 2**53, 2**53 - 1) | st.text('abé "\\/[]{}', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyé", max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(_values)
def test_written_values_read_back_and_write_the_same_bytes(value: Any) -> None:
    data = strict.dumps([value])
    assert strict.loads(data) == [value]
    assert strict.dumps(strict.loads(data)) == data


@given(st.binary(max_size=64) | st.text('{}[]",:0123456789.eE+-\\untrfals ', max_size=64).map(str.encode))
def test_any_bytes_give_a_value_the_standard_reader_agrees_with_or_a_refusal(data: bytes) -> None:
    try:
        value = strict.loads(data)
    except Refused:
        return
    assert json.loads(data) == value


@pytest.mark.parametrize("text", ["QUJD\n", "QUI", "-_==", "QUJ=", "QR==", " QUJD", "QUJD====", "", 5, None])
def test_T_E22_base64_has_one_spelling(text: Any) -> None:
    """T-E22: newline, missing padding, url-safe alphabet, spare bits."""
    if text == "":
        assert strict.b64decode(text) == b""
        return
    with pytest.raises(Refused):
        strict.b64decode(text)


def test_T_E18_a_bool_is_no_integer() -> None:
    """T-E18."""
    assert strict.is_integer(1)
    assert not strict.is_integer(True)
    assert not strict.is_integer("5")
    assert not strict.is_integer(2**53)
