"""What a conversion found: points of each class in all scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from downstream.releases.own_labels.class_list import ClassList
from pointcontrast.labelled_scene import read_labelled_scene
from pointcontrast.preparation.scene_conversion import ConvertedScene


def count_labels(output: Path, finished: Sequence[ConvertedScene], classes: ClassList) -> str:
    """Make a table of the classes: points, scenes, and boxes where there are any.

    Args:
        output: Folder of the scenes.
        finished: Scenes of this conversion.
        classes: Their classes.

    Returns:
        Lines of text: the table, the points without a label, and the scenes without any.
    """
    points = dict.fromkeys(classes.names, 0)
    scenes = dict.fromkeys(classes.names, 0)
    boxes = dict.fromkeys(classes.names, 0)
    num_unlabelled, bare = 0, []
    sources: dict[str, int] = {}
    for each in finished:
        scene = read_labelled_scene(output / each.scene, check_values=False)
        counts = scene.details["label_counts"]
        num_unlabelled += scene.details["num_unlabelled"]
        field = scene.source["labels"] or "only boxes"
        sources[field] = sources.get(field, 0) + 1
        for name, count in counts.items():
            points[name] += count
            scenes[name] += count > 0
        if scene.boxes is not None:
            for row in scene.boxes[:, 7].astype(int).tolist():
                boxes[classes.names[row]] += 1
        if not any(counts.values()) and scene.boxes is None:
            bare.append(each.scene)
    if not finished:
        return "no scene was made"
    has_boxes = any(boxes.values())
    width = max(map(len, ("class", *classes.names)))
    lines = [
        f"labels: {field}, in {count} of {len(finished)} scenes" for field, count in sources.items()
    ]
    lines += [
        f"{'class':{width}}  {'points':>12}  {'scenes':>6}" + ("   boxes" if has_boxes else "")
    ]
    for name in classes.names:
        line = f"{name:{width}}  {points[name]:12,}  {scenes[name]:6}"
        lines.append(line + (f"  {boxes[name]:6}" if has_boxes else ""))
    total = sum(points.values()) + num_unlabelled
    if num_unlabelled:
        share = 100 * num_unlabelled / total
        lines.append(f"{num_unlabelled:,} of {total:,} points ({share:.1f} %) have no label")
    absent = [name for name in classes.names if not points[name] and not boxes[name]]
    if absent:
        lines.append(f"no scene has {', '.join(absent)}")
    if bare:
        lines.append(f"{len(bare)} scenes have no label at all: {', '.join(bare[:8])}")
    return "\n".join(lines)


def num_labelled(output: Path, finished: Sequence[ConvertedScene]) -> int:
    """Count the scenes with a labelled point or a box."""
    scenes = [read_labelled_scene(output / each.scene, check_values=False) for each in finished]
    return sum(
        any(scene.details["label_counts"].values())
        or (scene.boxes is not None and len(scene.boxes) > 0)
        for scene in scenes
    )
