"""The answers of one process in columns: any question about them is a few sums over arrays.

What stands here is what PostgreSQL holds in the question's own snapshot, to the last answer:
each batch notes the moments that it changed (the table `touched`), and they are read again before
the next question.
"""

from services.scoring.store.columns.cache import Columns

__all__ = ["Columns"]
