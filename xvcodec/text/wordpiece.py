"""WordPiece tokeniser for English captions: BERT's uncased rules over a vocabulary of ASCII pieces.

Written here because the `tokenizers` library brings a network client along, and because a caption must give the
same tokens on every machine: everything outside ASCII that has no ASCII base letter separates words, so newer
Unicode tables cannot change a result. BERT would answer [UNK] there; a caption is better off without it.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

MAX_CHARS = 4096  # of a caption; the rest is cut off before any work is done
MAX_WORD = 100  # letters; BERT treats a longer word as unknown
_PIECES = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_SPACES = "\t\n\r"


def normalise(text: str) -> str:
    """Return the first MAX_CHARS characters in lower case, without accents and invisible characters."""
    visible = (c for c in text[:MAX_CHARS] if c in _SPACES or not _invisible(c))
    letters = unicodedata.normalize("NFD", "".join(visible))
    return "".join(c for c in letters if unicodedata.category(c) != "Mn").lower()


def _invisible(char: str) -> bool:
    """True for control and format characters (a zero-width joiner does not end a word)."""
    return unicodedata.category(char) in ("Cc", "Cf")


class WordPiece:
    """Longest-match-first tokeniser; `vocabulary[i]` is the piece with id i, `##` marks a continuation."""

    def __init__(self, vocabulary: list[str]) -> None:
        self.vocabulary = vocabulary
        self._ids = {piece: number for number, piece in enumerate(vocabulary)}

    def encode(self, text: str, limit: int) -> list[int]:
        """Return at most `limit` token ids; words that the vocabulary cannot spell are left out."""
        return list(islice(self._tokens(text), limit))

    def _tokens(self, text: str) -> Iterator[int]:
        for match in _PIECES.finditer(normalise(text)):
            yield from self._word(match.group())

    def _word(self, word: str) -> list[int]:
        """Ids of one lower-case word or punctuation mark; empty when it cannot be spelt."""
        ids: list[int] = []
        start = 0
        while start < len(word) <= MAX_WORD:
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self._ids:
                    ids.append(self._ids[piece])
                    start = end
                    break
            else:
                return []
        return ids
