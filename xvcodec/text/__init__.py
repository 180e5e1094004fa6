"""Captions to token embeddings: small, local, the same on every machine (docs/models/text.md)."""

from xvcodec.text.encoder import MAX_TOKENS, TextEncoder
from xvcodec.text.load import DEFAULT_ID, load_text_encoder, text_encoder_by_id

__all__ = ["DEFAULT_ID", "MAX_TOKENS", "TextEncoder", "load_text_encoder", "text_encoder_by_id"]
