"""JSON and TOML of a run folder: sorted, stable, readable."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np


def write_json(path: Path, document: Any) -> None:
    """Canonical JSON: sorted keys, two spaces, one line feed at the end; what is not finite becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain(document), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date) else value


def settings_toml(settings: Any) -> str:
    """case.toml of a frozen Settings: plain keys first, then a table per section; what is unset is left out."""
    plain = [f.name for f in fields(settings) if not is_dataclass(getattr(settings, f.name))]
    sections = [f.name for f in fields(settings) if is_dataclass(getattr(settings, f.name))]
    lines = [line for name in plain for line in _line(name, getattr(settings, name))]
    for section in sections:
        body = getattr(settings, section)
        inner = [line for f in fields(body) for line in _line(f.name, getattr(body, f.name))]
        if inner:
            lines += [f"[{section}]", *inner]
    return "\n".join(lines) + "\n"


def mapping_toml(values: Mapping[str, Any]) -> str:
    """Plain keys and lists of words as TOML."""
    return "".join(f"{line}\n" for name, value in values.items() for line in _line(name, value))


def _line(name: str, value: Any) -> list[str]:
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return []
    if isinstance(value, bool):
        return [f"{name} = {str(value).lower()}"]
    if isinstance(value, date):
        return [f"{name} = {value.isoformat()}"]
    if isinstance(value, str):
        return [f"{name} = {json.dumps(value, ensure_ascii=False)}"]
    if isinstance(value, list):
        return [f"{name} = {json.dumps(value, ensure_ascii=False)}"]
    return [f"{name} = {value!r}"]
