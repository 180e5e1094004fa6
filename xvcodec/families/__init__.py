"""Model families by name. A new one is its own files, a module here that brings them together, and a line in `FAMILIES`.

Nothing else in xvc names a family: weights files, checkpoints and recipes say which is theirs.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from xvcodec.families.base import Family
from xvcodec.models.base import Model

FAMILIES = ("crossmodal", "latent", "onedva", "hivae")
"""Modules of this package, each with a `FAMILY`; imported when first asked for."""


@cache
def family(name: str) -> Family:
    """A family by its name, which may come from a stranger's file; raises ValueError for an unknown one."""
    if name not in FAMILIES:
        raise ValueError(f"its family is {name[:40]!r}")
    found: Family = import_module(f"xvcodec.families.{name}").FAMILY
    return found


def family_of(model: Model) -> Family:
    """The family of a model."""
    return family(model.config.family)
