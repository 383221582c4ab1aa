"""A scene's ``meta.json`` that says something else and is sealed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pointcontrast.scenes import scene_meta


def edit_meta(scene: Path, **changes: Any) -> None:
    path = scene / "meta.json"
    meta = json.loads(path.read_text()) | changes
    del meta["sha256"]
    path.write_text(json.dumps(meta | {"sha256": scene_meta._digest(meta)}))


def seal(scene: Path, name: str) -> None:
    """Have ``meta.json`` say of a file what is there now."""
    files = json.loads((scene / "meta.json").read_text())["files"]
    edit_meta(scene, files=files | {name: scene_meta.file_facts(scene / name)})
