"""Progress of ``pointcontrast.preparation.prepare``: a bar and a line per scene."""

from __future__ import annotations

import time

import numpy as np
from tqdm import tqdm

from pointcontrast.preparation.prepare_scene import SceneSummary


class Progress:
    """A bar over the scenes with remaining time and views per second, and a line per scene."""

    def __init__(self, num_scenes: int, *, shown: bool) -> None:
        self._shown = shown
        self._num_scenes = num_scenes
        self._num_done = 0
        # disable=None: no bar where the output is not a terminal
        self._bar = tqdm(total=num_scenes, unit="scene", disable=None if shown else True)
        self._started = time.monotonic()
        self._num_views = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def note(self, scene: str, summary: SceneSummary | None, failure: str | None) -> None:
        """Count a scene that is finished or has failed."""
        if summary and not summary.reused:
            self._num_views += len(summary.meta.frame_ids)
            speed = self._num_views / (time.monotonic() - self._started)
            self._bar.set_postfix_str(f"{speed:.1f} views/s", refresh=False)
        self._bar.update()
        self._num_done += 1  # a bar that is not shown does not count
        if self._shown:
            line = failure or (_line(summary) if summary else "")
            tqdm.write(f"[{self._num_done}/{self._num_scenes}] {scene}: {line}")


def _line(scene: SceneSummary) -> str:
    meta = scene.meta
    return (
        f"{len(meta.frame_ids)} views ({len(meta.skipped)} frames skipped), "
        f"{scene.num_pairs:,} pairs, {scene.num_bytes / 1e6:.1f} MB, "
        f"up {np.round(meta.up, 3).tolist()} ({meta.up_how}, support {meta.up_support:.2f})"
        + (", finished before" if scene.reused else "")
    )
