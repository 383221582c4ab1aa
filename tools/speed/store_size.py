"""The room that views take on the disk, ours and the authors'."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pointcontrast.recordings.sequence import PosedSequence
from pointcontrast.scenes.view_store_writer import SceneSource, write_view_store
from pointcontrast.scenes.views import View, read_views
from tools.speed.timing import Figures


def store_disk_ratio(sequence: PosedSequence) -> Figures:
    """Write all views of a sequence in both forms and weigh them.

    Ours: a view store as tools/prepare_pairs.py makes it, ``meta.json`` and colours included.
    Theirs: one uncompressed ``.npz`` a view with the float64 points, which is all they keep.

    Returns:
        ``store_disk_ratio`` (ours over theirs), the same without our colours, and bytes a view.
    """
    with tempfile.TemporaryDirectory() as folder:
        written: list[int] = []

        def weighed() -> list[View]:
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
        write_view_store(store, weighed(), source)
        sizes = {file.name: file.stat().st_size for file in store.iterdir()}
    ours, theirs = sum(sizes.values()), sum(written)
    colors = sizes.get("colors.bin", 0) + sizes.get("colors.npy", 0)
    return {
        "store_disk_ratio": round(ours / theirs, 5),
        "store_disk_ratio_without_colors": round((ours - colors) / theirs, 5),
        "store_bytes_a_view": round(ours / len(written)),
        "authors_bytes_a_view": round(theirs / len(written)),
    }
