"""Generated files are what the code says."""

from pathlib import Path

import pytest

from generate.__main__ import ROOT, main
from generate.files import FILES


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_what_the_code_says(name: str) -> None:
    assert (ROOT / name).read_text() == FILES[name](), "`make generate` writes it"


def test_the_check_names_what_differs_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    changed = next(iter(FILES))
    (tmp_path / changed).write_text("old")
    capsys.readouterr()

    assert main(["--check"], tmp_path) == 1

    assert capsys.readouterr().out == f"{changed} differs; `make generate` writes it\n"
    assert (tmp_path / changed).read_text() == "old"
    main([], tmp_path)
    assert (tmp_path / changed).read_text() == FILES[changed]()


def test_two_makings_are_the_same() -> None:
    assert {name: make() for name, make in FILES.items()} == {
        n: make() for n, make in FILES.items()
    }
