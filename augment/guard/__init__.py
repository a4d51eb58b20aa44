"""What is not let through: named filters over candidates, cheap first, each with its measure."""
