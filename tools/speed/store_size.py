"""Disk space per view, in our store and in the authors' files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pointcontrast.recordings.sequence import PosedSequence
from pointcontrast.scenes.recorded_views import read_views
from pointcontrast.scenes.view_store_writer import SceneSource, write_view_store
from pointcontrast.scenes.views import View
from tools.speed.timing import Figures


def store_disk_ratio(sequence: PosedSequence) -> Figures:
    """Write all views of a sequence in both forms and compare their sizes.

    Ours is a view store as tools/prepare_pairs.py makes it, ``meta.json`` and colours included.
    The authors' is one uncompressed ``.npz`` per view with the float64 points, all they keep.

    Returns:
        ``store_disk_ratio`` (ours over the authors'), the same without our colours, and bytes per
        view.
    """
    with tempfile.TemporaryDirectory() as folder:
        written: list[int] = []

        def views_of_both() -> list[View]:
            views = []
            for view in tqdm(read_views(sequence), total=len(sequence), desc="store", unit="view"):
                if isinstance(view, View):
                    path = Path(folder) / "view.npz"
                    np.savez(path, pcd=view.cloud.points.astype(np.float64))
                    written.append(path.stat().st_size)
                    views.append(view)
            return views

        store = Path(folder) / "store"
        source = SceneSource(sequence.layout, str(sequence.folder))
        write_view_store(store, views_of_both(), source)
        sizes = {file.name: file.stat().st_size for file in store.iterdir()}
    ours, authors = sum(sizes.values()), sum(written)
    colors = sizes.get("colors.bin", 0) + sizes.get("colors.npy", 0)
    return {
        "store_disk_ratio": round(ours / authors, 5),
        "store_disk_ratio_without_colors": round((ours - colors) / authors, 5),
        "store_bytes_a_view": round(ours / len(written)),
        "authors_bytes_a_view": round(authors / len(written)),
    }
