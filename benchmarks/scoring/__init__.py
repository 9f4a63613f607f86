"""Answers per second exactly once, beside the peers."""
