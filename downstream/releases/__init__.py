"""Readers of the raw releases of the benchmarks, one package each.

In a package, ``layout``, ``text`` and the like read the files of the release. ``rooms``,
``scenes``, ``frames``, ``images`` or ``shapes`` convert them to labelled scenes or shape sets. The
scripts in ``datasets/`` are their command lines. ``tests/releases`` generates small releases of the
same layouts.
"""
