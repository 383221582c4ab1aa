"""ShapeNetPart, the release with normals: shapes as text, a part for each point.

Read in this order: ``categories`` (16 categories, 50 parts), ``layout`` (files and split lists),
``text`` (one shape's file), ``shapes`` (one category -> one shape set). ``synthetic`` writes a
small release of the same layout, of the shapes in ``parametric_*``.
"""
