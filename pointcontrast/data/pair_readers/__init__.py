"""Readers of pairs of registered views: one :class:`PairReader` per file."""

from pointcontrast.data.pair_readers.authors_pairs import AuthorsPairs
from pointcontrast.data.pair_readers.pair_reader import PairReader
from pointcontrast.data.pair_readers.scene_crops import SceneCrops
from pointcontrast.data.pair_readers.stored_pairs import StoredPairs

__all__ = ["AuthorsPairs", "PairReader", "SceneCrops", "StoredPairs"]
