"""One example becomes several, under guard. Empty until the expansion issue fills this room."""
