"""Event to dispatch, answer to score, fault to alert, on the whole system under load."""
