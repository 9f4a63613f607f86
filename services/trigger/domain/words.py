"""What the names in an invitation's texts stand for."""

from shared.programme.surveys import Mail
from shared.programme.views import NAMES, EventView
from shared.segments import clean_value


def mail_words(mail: Mail, view: EventView) -> dict[str, str]:
    """The event's fields that the mail's texts name: one line each; an absent one is left out."""
    texts = (text for text in (mail.subject, mail.intro, mail.button) if text is not None)
    names = {name for text in texts for _, places in text.places() for name in places}
    found = view.some(sorted(names.intersection(NAMES)))
    lines = {name: clean_value(str(value)) for name, value in found.items() if value is not None}
    return {name: line for name, line in lines.items() if line is not None}
