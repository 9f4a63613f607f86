"""How long something takes, in words that nobody reads as more exact than it is."""

from typing import Final

_UNITS: Final = (("minute", 1 / 60), ("hour", 1.0), ("day", 24.0), ("week", 168.0),
                 ("month", 730.5), ("year", 8766.0))  # fmt: skip
_FROM: Final = 1.75  # of the larger unit: below, the smaller one says more


def in_words(hours: float) -> str:
    """About how long, in one unit: `4 weeks`; never less than a minute."""
    name, size = _UNITS[0]
    for larger, hours_of_it in _UNITS[1:]:
        if hours < _FROM * hours_of_it:
            break
        name, size = larger, hours_of_it
    number = max(round(hours / size), 1)
    return f"{number} {name}" + ("" if number == 1 else "s")


def a_day(answers: float) -> str:
    """Answers a day, or what they are in a week or a month where that is none."""
    if answers >= 0.95:
        number = f"{answers:.0f}" if answers >= 9.5 else f"{answers:.1f}".removesuffix(".0")
        return f"{number} {_answers(number)} a day"
    for unit, days in (("week", 7.0), ("month", 30.4)):
        if answers * days >= 0.95:
            number = f"{answers * days:.0f}"
            return f"{number} {_answers(number)} a {unit}"
    return "less than an answer a month"


def _answers(number: str) -> str:
    return "answer" if number == "1" else "answers"
