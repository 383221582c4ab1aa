"""ShapeNetPart (``shapenetcore_partanno_segmentation_benchmark_v0_normal``): a text file a shape.

``categories`` (16 categories and their 50 parts), ``shapes`` (a category to a shape set),
``synthetic`` (a small release of the same layout).
"""
