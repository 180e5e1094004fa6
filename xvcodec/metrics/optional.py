"""Libraries that not everyone has."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from .base import Absent


def require(module: str, what: str, remedy: str) -> ModuleType:
    """Import `module`.

    Raises:
        Absent: it is not installed or does not load; the sentence says that `what` needs it and gives the `remedy`.
    """
    try:
        return import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise Absent(f"{what} needs the Python package {missing.partition('.')[0]}: {remedy}.") from error
    except Exception as error:  # a library built for another torch fails in ways of its own
        raise Absent(f"{what} needs the Python package {module}, which does not load ({error}): {remedy}.") from error
