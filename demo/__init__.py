"""The demonstration: a real Label Studio, a simulated annotator, the whole loop in one terminal.

Nothing of the product imports this package; it drives the product from outside, as a user would.
"""
