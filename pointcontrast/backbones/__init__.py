"""Backbones: sparse networks with one contract, written once for both engines."""

from pointcontrast.backbones.backbone import Backbone
from pointcontrast.backbones.res16unet import Res16UNet
from pointcontrast.backbones.res16unet_variants import VARIANTS, VariantName

__all__ = ["VARIANTS", "Backbone", "Res16UNet", "VariantName"]
