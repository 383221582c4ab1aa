"""Where pairs of registered views come from: one :class:`PairReader` a file."""

from pointcontrast.pair_readers.authors_pairs import AuthorsPairs
from pointcontrast.pair_readers.pair_reader import PairReader
from pointcontrast.pair_readers.scene_crops import SceneCrops
from pointcontrast.pair_readers.stored_pairs import StoredPairs

__all__ = ["AuthorsPairs", "PairReader", "SceneCrops", "StoredPairs"]
