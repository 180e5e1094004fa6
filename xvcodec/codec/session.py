"""What one encode or decode needs: the model on its runtime, the coder, and the guidance, put together once."""

from __future__ import annotations

from dataclasses import dataclass

from xvc_bitstream.coders import Coder, get_coder

from xvcodec.codec.family import GopCodec
from xvcodec.codec.guidance import Guidance
from xvcodec.families import family_of
from xvcodec.models.weights import LoadedModel
from xvcodec.runtime.base import Runtime
from xvcodec.runtime.choose import choose_runtime
from xvcodec.text.encoder import TextEncoder


@dataclass(frozen=True)
class Session:
    """A model ready to code GOPs."""

    model: LoadedModel
    codec: GopCodec
    runtime: Runtime
    coder: Coder
    guidance: Guidance

    @classmethod
    def open(cls, model: LoadedModel, coder: str | int, text: TextEncoder | None, backend: str, device: str) -> Session:
        """Put a session together.

        Args:
            model: loaded weights.
            coder: entropy coder by name or id.
            text: encoder of captions, or None to work without guidance.
            backend, device: as in `EncodeOptions`.
        """
        runtime = choose_runtime(model, backend, device, graphs=model.graphs)
        return cls(model, family_of(model.module).codec(model, runtime), runtime, get_coder(coder),
                   Guidance(text, model.module.config.text, runtime.device))
