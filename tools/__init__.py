"""The commands, and the benchmarks of speed."""
