"""Causal bases: prompts and readers of answers, likelihoods, decoding, training."""
