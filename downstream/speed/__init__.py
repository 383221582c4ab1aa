"""How long detection takes: what ``tools/benchmark.py detection`` runs."""
