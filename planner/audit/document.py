"""The JSON documents of a run folder: the certificate, and every building's answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.audit.table import DamagedFileError, MissingFileError


def read_json(path: Path, file: str) -> dict[str, Any]:
    """The object at ``path``, which the run calls ``file``."""
    if not path.is_file():
        raise MissingFileError(f"{file} is missing")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise DamagedFileError(file, f"is not JSON: {str(error)[:80]}") from None
    if not isinstance(content, dict):
        raise DamagedFileError(file, "is not a JSON object")
    return content
