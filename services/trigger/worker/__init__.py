"""What happens by the clock, beside the consumer.

What waited and what is to be reminded of is decided (`due`, `reminders`), schedules move
(`schedules`), letters are sent (`dispatch`, `handing`, `tries`), their states are told
(`telling`), what stands is counted (`counting`), whether answers have been heard is known
(`hearing`), old rows are deleted (`retention`). `waiting` and `faults` are how all
of them wait, and what one does where something fails.
"""
