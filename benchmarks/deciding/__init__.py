"""Events per second through trigger's decisions."""
