"""Credentials in a server's words: hidden whole, in part, and in the forms that servers give them.

Who refuses a token often says a piece of it, in an address, in JSON or as it came in a
header. So every run of a few characters that also stands in a credential is hidden; that
some harmless word is hidden with it costs nothing.
"""

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from urllib.parse import quote, quote_plus

PIECE = 4
"""So many characters of a credential in a row are hidden, and fewer tell nothing."""
SCHEMES = frozenset({"apikey", "basic", "bearer", "digest", "geniekey", "negotiate", "splunk", "token"})
PLAIN = frozenset({"accept", "accept-language", "content-type", "user-agent", "x-github-api-version", "x-scope-orgid"})
"""Headers that hold no credential, be it as it is written or out of the environment."""


class Secrets:
    """What must not be repeated, by its pieces."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """`values` are the credentials, as they are sent."""
        self._pieces = frozenset(piece for value in values for form in _forms(value) for piece in _pieces(form))

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> "Secrets":
        """Those of headers as they are sent: their values, and the words and passwords within them."""
        return cls(secret for name, value in headers.items() if name.lower() not in PLAIN for secret in _within(value))

    def hide(self, text: str) -> str:
        """`text` without any piece of a credential, in whatever case."""
        hidden = [False] * len(text)
        for start, piece in enumerate(_pieces(text)):
            if piece in self._pieces:
                hidden[start : start + PIECE] = [True] * PIECE
        runs = groupby(zip(text, hidden, strict=True), key=lambda each: each[1])
        return "".join("***" if secret else "".join(letter for letter, _ in run) for secret, run in runs)


def _within(value: str) -> Iterator[str]:
    words = value.split()
    if len(words) > 1 and words[0].lower() in SCHEMES:
        words = words[1:]
    yield " ".join(words)
    for word in words:
        yield word
        yield from _password(word)


def _password(word: str) -> Iterator[str]:
    """Name and password, where a word is both in base64, as in Basic authentication."""
    try:
        name, colon, password = b64decode(word, validate=True).decode().partition(":")
    except (Error, ValueError):
        return
    if colon:
        yield from (f"{name}:{password}", name, password)


def _forms(secret: str) -> Iterator[str]:
    """A credential as servers repeat it: as it is, in addresses, in JSON, in HTML, and in base64 at any offset."""
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], escape(secret))
    raw = secret.encode()
    for offset in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(b"\0" * offset + raw).decode()
            # The first and the last characters hold bits of what stands around.
            yield text[(offset * 8 + 5) // 6 : (offset + len(raw)) * 8 // 6]


def _pieces(text: str) -> Iterator[str]:
    """All runs of PIECE characters, in one case; as many of them as if no letter changed its length with it."""
    folded = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return (folded[start : start + PIECE] for start in range(len(folded) - PIECE + 1))
