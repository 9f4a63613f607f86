"""The surveys that answers or invitations name."""

import asyncpg


async def counted_surveys(connection: asyncpg.Connection) -> set[str]:
    """Every survey that anything was ever counted under; all is counted in the slice of all."""
    rows = await connection.fetch("SELECT DISTINCT survey FROM series WHERE slice = ''")
    return {row[0] for row in rows} - {""}
