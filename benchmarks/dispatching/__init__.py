"""Event to dispatch under load."""
