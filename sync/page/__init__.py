"""The operators' page: what the command line says and does, in a browser (docs/operators.md)."""
