"""The ScanNet v2 release: what it holds, and its scans as labelled scenes.

Read in this order: ``classes`` (NYU40 ids and the benchmark's 20), ``release`` (names, folders,
splits), ``mesh`` (PLY), ``alignment`` (the scan's ``.txt``), ``annotations`` (labels and
objects), ``labelling`` (both put on a scene), ``scenes`` (one scan -> one labelled scene),
``downloads`` (what to fetch).
"""
