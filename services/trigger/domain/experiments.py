"""Experiments: who is in which variant, and what the variant writes."""

import hashlib

from shared.programme.models import Mail, Programme
from shared.programme.triggers import Experiment


def assigned(experiment: Experiment, customer_id: str) -> str:
    """The name of the customer's variant; every variant has an equal share of the customers.

    Depends on the names of the experiment and its variants and on the customer id alone: another
    experiment draws anew, and who is in a trigger's sample says nothing about it. A variant that
    is added or removed moves no customers between the others: highest random weight (Thaler and
    Ravishankar 1998, IEEE/ACM Trans. Netw. 6, 1-14).
    """

    def weight(variant: str) -> bytes:
        named = f"experiment\0{experiment.name}\0{variant}\0{customer_id}"
        return hashlib.sha256(named.encode()).digest()

    return max(experiment.variants, key=weight)


def find_experiment(programme: Programme, name: str) -> Experiment | None:
    """The programme's experiment of that name, or None."""
    experiments = (trigger.experiment for trigger in programme.triggers.values())
    return next((each for each in experiments if each is not None and each.name == name), None)


def mail_texts(usual: Mail, own: Mail | None) -> Mail:
    """A variant's own texts; the survey's where it has none."""
    if own is None:
        return usual
    said = {name: text for name, text in own if text is not None}
    return usual.model_copy(update=said)
