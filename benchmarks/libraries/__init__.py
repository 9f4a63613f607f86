"""Libraries of hot paths, each beside another that could stand in its place."""
