"""What runs by the clock: one process judges, all publish, deliver and delete."""
