"""How each cost grows."""
