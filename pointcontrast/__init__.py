"""PointContrast: contrastive pretraining of sparse 3D networks on registered views."""

__version__ = "0.1.0"
