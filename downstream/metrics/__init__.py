"""Metrics of finetuning: states that sum over batches and ranks, and figures made of them."""
