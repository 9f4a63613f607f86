"""What alerts takes of a minute for counting and judging."""
