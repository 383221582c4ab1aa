"""Raw releases of the benchmarks' data: how they lie on disk, and what is made of them.

A package each: ``layout`` or ``text`` reads the release's files, ``scenes`` or ``shapes`` turns
them into what training reads, ``synthetic`` writes a small release of the same layout. ScanNet's
is ``downstream.releases.scannet``, because pretraining reads it too.
"""
