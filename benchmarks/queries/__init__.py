"""Questions about segments, asked of scoring's routes over answers by the million."""
