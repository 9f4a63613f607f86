"""A share of customers, the same ones every time."""

import hashlib


def in_sample(customer_id: str, trigger: str, share: float) -> bool:
    """Whether the customer belongs to the `share` (0 to 1) that a trigger asks.

    The same customer and trigger always give the same answer, and a greater share contains the
    smaller one.
    """
    digest = hashlib.sha256(f"{trigger}\0{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
