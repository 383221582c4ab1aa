"""ShapeNetCore, v1 or v2, for classification: meshes of 55 categories, points sampled on them.

Read in this order: ``categories`` (synsets and names), ``layout`` (where models and splits lie),
``obj_mesh`` (faces of an OBJ), ``shapes`` (one category -> one shape set). ``synthetic`` writes a
small release of the same layout.
"""
