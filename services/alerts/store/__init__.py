"""Everything that alerts writes to PostgreSQL and reads from it."""
