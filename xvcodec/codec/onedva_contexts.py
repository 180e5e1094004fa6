"""The fitted integers of onedva models."""

from __future__ import annotations

from dataclasses import dataclass, field

from xvcodec.codec.crossmodal_contexts import CrossmodalContexts
from xvcodec.codec.token_contexts import TokenContexts


@dataclass(frozen=True)
class OnedvaContexts(CrossmodalContexts):
    """Of motion, and of coefficients, by which encoders judge what these cost; and of tokens, which are written."""

    tokens: TokenContexts = field(default_factory=TokenContexts.default)
