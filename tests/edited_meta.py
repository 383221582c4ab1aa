"""A scene's ``meta.json`` that says something else and is sealed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pointcontrast import scene_meta


def edit_meta(scene: Path, **changes: Any) -> None:
    path = scene / "meta.json"
    meta = json.loads(path.read_text()) | changes
    del meta["sha256"]
    path.write_text(json.dumps(meta | {"sha256": scene_meta._digest(meta)}))
