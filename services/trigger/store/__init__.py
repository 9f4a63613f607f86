"""What trigger keeps: the only files with SQL."""
