"""Who decides beside whom.

All decide at the same time, each holding its customers. Only an event that cancels and names
nobody has no customer to hold: it is taken while nobody else decides, so that what is asked at
that moment is either stored before and cancelled, or decided after and knows it.
"""

from typing import Final

from sqlalchemy import text

_KEY: Final = "hashtext('earshot-trigger-deciding')"
TOGETHER: Final = text(f"SELECT pg_advisory_xact_lock_shared({_KEY})")
ALONE: Final = text(f"SELECT pg_advisory_xact_lock({_KEY})")
