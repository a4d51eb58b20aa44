"""Where children come from, a file each; every one returns None where it is not applicable."""
