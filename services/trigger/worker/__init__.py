"""What leaves: letters are sent, their states are told, old rows are deleted."""
