"""ShapeNetCore v1 and v2, for classification: points sampled on meshes of 55 categories.

Read in this order: ``categories`` (synsets and names), ``layout`` (models and splits on disk),
``obj_mesh`` (faces of an OBJ file), ``shapes`` (a category to a shape set).
"""
