"""What the boards of all services have in common."""

from collections.abc import Sequence

from generate.boards import resources, rows
from generate.boards.board import Board
from generate.boards.panels import Row, Variable


def service_board(name: str, text: str, own: Sequence[Row], shared: Sequence[Row]) -> Board:
    """What only this service does, then its requests, `shared`, what it writes, its process."""
    running = f'earshot_build_info{{job=~"$job", service="{name}"}}'
    return Board(
        name,
        f"Earshot: {name}",
        text,
        [*own, rows.requests(), *shared, rows.writing(), resources.process()],
        here=f'service="{name}", instance=~"$instance"',
        narrowed_by=[Variable("instance", "The replicas of the service.", running)],
    )
