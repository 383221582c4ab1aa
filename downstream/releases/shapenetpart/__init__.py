"""ShapeNetPart, the release with normals: shapes as text, with a part label per point.

Read in this order: ``categories`` (16 categories, 50 parts), ``layout`` (files and split lists),
``text`` (the file of a shape), ``shapes`` (a category to a shape set).
"""
