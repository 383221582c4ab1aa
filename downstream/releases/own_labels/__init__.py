"""Scans that people labelled themselves, to labelled scenes.

Read in this order: ``scan_files`` (which files are scans), ``class_list`` (which label is which
class), ``label_fields`` (which column holds the labels), ``scans`` (a file to points with labels),
``box_files`` (boxes next to a scan), ``scenes`` (the conversion) and ``report`` (what was counted).
"""
