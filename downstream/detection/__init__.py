"""Boxes as a task; their geometry is in ``downstream/boxes.py``, the network in ``heads/votenet``.

``augmentation`` turns boxes with their points, ``votes`` says what points vote for, ``coding`` what
a network's numbers mean; ``loss`` trains them, ``task`` scores them, ``detector`` and ``picture``
show what was found. ``point_sets`` has the sampling and grouping that VoteNet is made of.
"""
