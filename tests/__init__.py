"""The tests, their helpers, oracles and generators of raw releases."""
