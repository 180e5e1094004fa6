"""Everything that a report's folder holds besides points and streams."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from xvcodec.errors import OutputError, XvcError

from . import page, plots
from .results import FILE, Results

_NEEDED = {"bjontegaard": "bjontegaard", "matplotlib": "matplotlib", "PIL": "pillow"}


def check_installed() -> None:
    """Raise XvcError unless the libraries of reports are there: before hours of work, not after them."""
    if missing := [package for module, package in _NEEDED.items() if find_spec(module) is None]:
        raise XvcError(f"`xvc rd` needs {', '.join(missing)}: pip install 'xvc[rd]'.")


def write(results: Results, folder: str | Path) -> list[Path]:
    """Write results.json, results.csv, the plots and index.html; returns their paths. Raises XvcError."""
    folder = Path(folder)
    results.save(folder)
    try:
        return [folder / FILE, folder / "results.csv", *plots.write(results, folder), page.write(results, folder)]
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise OutputError(f"The page of '{folder}' cannot be written ({why}); --plot-only makes it again.") from None
