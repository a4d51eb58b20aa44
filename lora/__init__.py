"""The adapter's life: bases, heads, training, judging, the store, live serving."""
