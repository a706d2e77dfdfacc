import json
from base64 import b64encode, urlsafe_b64encode
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.secrets import PIECE, Secrets

TOKEN = "s3cr3t/t0ken+~\"ü' <x>"  # noqa: S105  # a made-up one, with all that encodings change
BASIC = b64encode(b"agent@acme.example:hunter2-hunter2").decode()
HEADERS = Secrets.of_headers({"Authorization": f"Bearer {TOKEN}", "X-Key": "abcdefgh", "Accept": "application/json"})


@pytest.mark.parametrize(
    "form",
    [
        TOKEN, TOKEN.upper(), f"Bearer {TOKEN}", quote(TOKEN), quote(TOKEN, safe=""), quote(TOKEN, safe="").lower(),
        quote_plus(TOKEN), json.dumps(TOKEN), json.dumps(TOKEN, ensure_ascii=False), escape(TOKEN),
        b64encode(TOKEN.encode()).decode(), urlsafe_b64encode(TOKEN.encode()).decode(),
        b64encode(f"me:{TOKEN}".encode()).decode(), b64encode(f"agent:{TOKEN}".encode()).decode(),
        b64encode(f"agent1:{TOKEN}; more".encode()).decode(), repr(TOKEN), f"https://x.example/?token={quote(TOKEN)}",
        TOKEN[:9], TOKEN[5:], TOKEN[2:8], f"{TOKEN[:4]}...{TOKEN[-4:]}",
    ],
)  # fmt: skip
def test_forms(form: str) -> None:
    """No piece of a token is left, in whatever form or part a server repeats it."""
    hidden = HEADERS.hide(f"You sent {form}, go away")
    assert "***" in hidden
    assert not [start for start in range(len(TOKEN) - PIECE + 1) if TOKEN[start : start + PIECE] in hidden]
    assert hidden.startswith("You sent ")
    assert hidden.endswith(", go away")


@given(st.text(max_size=12), st.integers(0, 12), st.integers(0, 12), st.text(max_size=12))
def test_any_part(before: str, start: int, length: int, after: str) -> None:
    """Of a token, no run of as many letters as a piece is ever left, whatever stands around it."""
    secret = "Zq8wLm2Xv7Tb"  # noqa: S105
    hidden = Secrets([secret]).hide(before + secret[start : start + length] + after)
    assert not [at for at in range(len(secret) - PIECE + 1) if secret[at : at + PIECE].lower() in hidden.lower()]


def test_basic_authentication() -> None:
    """Of Basic authentication, name and password are hidden as well as what is sent."""
    secrets = Secrets.of_headers({"Authorization": f"Basic {BASIC}"})
    told = secrets.hide(f"agent@acme.example may not: hunter2-hunter2, {BASIC}, agent@acme.example:hunter2")
    assert "hunter" not in told
    assert "agent" not in told
    assert BASIC[:8] not in told
    assert " may not: " in told


def test_harmless_words_stay() -> None:
    """What is no credential is repeated as it is: schemes, headers that hold none, and words like them."""
    said = "the Bearer application/json ab cd is not known: SELECT 1 FROM x"
    assert HEADERS.hide(said) == said
    assert Secrets().hide(said) == said
    assert Secrets(["abc", ""]).hide("abc") == "abc"


def test_letters_that_change_their_length() -> None:
    """A letter whose lower case is two letters moves nothing."""
    assert Secrets(["İstanbul-token"]).hide("İİ İstanbul-token İİ") == "İİ *** İİ"
