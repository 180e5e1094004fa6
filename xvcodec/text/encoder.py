"""What every text encoder offers: an id for the file's header, and token embeddings of fixed width."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

MAX_TOKENS = 32  # of a caption that a decoder attends to


class TextEncoder(ABC):
    """Turns captions into token embeddings; the same id gives the same embeddings.

    Attributes:
        id: name and content hash, as stored in a file's header, e.g. "minilm-static-1.0123abcd".
        dim: width of one token embedding.
        max_tokens: tokens kept of a caption; later ones are dropped.
    """

    id: str
    dim: int
    max_tokens: int = MAX_TOKENS

    @abstractmethod
    def encode(self, text: str) -> NDArray[np.float32]:
        """Return [tokens, dim], 0 <= tokens <= max_tokens, overall RMS about 1; no tokens for empty text."""

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return embeddings [N, max_tokens, dim], zero-padded, and a mask [N, max_tokens], True where a token is."""
        batch = np.zeros((len(texts), self.max_tokens, self.dim), np.float32)
        mask = np.zeros((len(texts), self.max_tokens), np.bool_)
        for row, text in enumerate(texts):
            tokens = self.encode(text)
            batch[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = True
        return batch, mask
