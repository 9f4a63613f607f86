"""What happens: answers are counted, minutes are judged. Needs are Protocols."""
