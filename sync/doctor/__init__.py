"""`annotune doctor`: looks at every neighbour, says what it saw and what would mend it."""
