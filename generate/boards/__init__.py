"""The boards of Grafana as code: deploy/grafana/dashboards/*.json.

A board is a list of rows, a row a list of panels, in the order in which they are seen; each board
has a module of its own, and rows that several boards have stand in rows.py. A new panel is one call
of `lines`, `number` or `table` (panels.py) in its board's list.
"""

from generate.boards.board import Board
from generate.boards.catalogue import BOARDS

__all__ = ["BOARDS", "Board"]
