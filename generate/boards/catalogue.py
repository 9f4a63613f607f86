"""Every board."""

from collections.abc import Sequence
from typing import Final

from generate.boards.alerts import ALERTS
from generate.boards.board import Board
from generate.boards.ingest import INGEST
from generate.boards.ops import OPS
from generate.boards.scoring import SCORING
from generate.boards.trigger import TRIGGER
from generate.boards.voice import VOICE

BOARDS: Final[Sequence[Board]] = (OPS, VOICE, INGEST, TRIGGER, SCORING, ALERTS)
