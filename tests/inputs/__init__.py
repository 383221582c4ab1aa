"""Inputs as people have them, run through the command lines: one row per report.

``row.py`` says what a row is, ``rows_*.py`` hold the rows, and ``test_inputs.py`` runs them. Rows
start from inputs that are right: ``makers_rgbd.py`` (recordings), ``makers_scans.py`` (clouds,
meshes, labelled scenes) and ``makers_runs.py`` (prepared scenes and runs, made once).
``outcome.py`` runs a command and checks what must be true of every command.
``python -m tests.inputs`` prints the table.
"""
