"""What happens on a submission, an event and an opt-out; the ports that this needs."""
