"""ScanNet v2: reconstructed scans with labels and objects.

Read in this order: ``classes`` (NYU40 ids and the 20 classes of the benchmark), ``release`` (file
names, folders, splits), ``mesh`` (PLY), ``alignment`` (the ``.txt`` of a scan), ``annotations``
(labels and objects), ``labelling`` (both applied to a scene), ``scenes`` (a scan to a labelled
scene), ``downloads`` (files to download).
"""
