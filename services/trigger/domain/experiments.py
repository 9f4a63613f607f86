"""Which customers get which variant of an experiment: the same ones every time."""

import hashlib

from shared.programme.triggers import Experiment


def assigned(experiment: Experiment, customer_id: str) -> str:
    """The name of the customer's variant; every variant has an equal share of the customers.

    Depends on the experiment's name, the number and order of its variants and the customer id
    alone: another name draws anew, and who is in a trigger's sample says nothing about it.
    """
    digest = hashlib.sha256(f"experiment\0{experiment.name}\0{customer_id}".encode()).digest()
    names = tuple(experiment.variants)
    return names[int.from_bytes(digest[:8], "big") * len(names) >> 64]
