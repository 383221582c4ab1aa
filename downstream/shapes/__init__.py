"""Shape sets: many small labelled shapes of a category in one folder.

Read in this order: ``shape_set`` (the format and its reader), ``checks`` (of values and metadata),
``writer``, ``splits`` (of a folder of shape sets), ``conversion`` (of a raw release), ``command``
(command line of a converter).
"""
