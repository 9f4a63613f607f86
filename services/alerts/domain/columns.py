"""Named rows of one float64 matrix: quantity by stream, so that a gather or a store is one copy."""

from typing import Protocol, Self, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]


class Matrix(Protocol):
    """What a column reads and writes: `values[quantity, stream]`."""

    @property
    def values(self) -> Floats: ...


class Column:
    """One quantity of every stream; `width` > 1 for one per component, then shaped (width, n)."""

    def __init__(self, start: float = 0.0, *, width: int = 1) -> None:
        self.start = start
        self.width = width
        self._rows: int | slice = 0

    def __set_name__(self, owner: type, name: str) -> None:
        layout: dict[str, float] = owner.__dict__["layout"]
        first = len(layout)
        self._rows = first if self.width == 1 else slice(first, first + self.width)
        names = [name] if self.width == 1 else [f"{name}_{j}" for j in range(self.width)]
        layout.update(dict.fromkeys(names, self.start))

    @overload
    def __get__(self, matrix: None, owner: type) -> Self: ...
    @overload
    def __get__(self, matrix: Matrix, owner: type) -> Floats: ...
    def __get__(self, matrix: Matrix | None, owner: type) -> Self | Floats:
        if matrix is None:
            return self
        column: Floats = matrix.values[self._rows]
        return column

    def __set__(self, matrix: Matrix, value: Floats | float) -> None:
        matrix.values[self._rows] = value
