"""Inputs as people have them, run through the command lines: one row per report.

``row.py`` says what a row is, ``rows_*.py`` hold the rows, ``test_inputs.py`` runs them.
"""
