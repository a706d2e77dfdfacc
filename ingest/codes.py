"""Every problem that `check` can find: a stable code and its title.

A code is never given to another problem. The handbook has a heading for each, with a bad
and a good example; a test holds the two together.
"""

CODES: dict[str, str] = {
    "PK001": "The file cannot be read as text",
    "PK002": "The YAML has a mistake",
    "PK003": "Too large, too deep, or not plain YAML",
    "PK004": "A key is written twice",
    "PK005": "A time without quotes",
    "PK006": "There is no front matter",
    "PK007": "A file that does not belong here",
    "PK008": "The text takes too long to render",
    "PK101": "An unknown field",
    "PK102": "A field is missing",
    "PK103": "A value that cannot be understood",
    "PK104": "A value that is not one of the choices",
    "PK105": "A character that cannot stand here",
    "PK106": "An id is used twice",
    "PK201": "An unknown area",
    "PK202": "An unknown source",
    "PK203": "An unknown series",
    "PK204": "An unknown story",
    "PK205": "The source cannot be asked this",
    "PK206": "A chart that does not exist",
    "PK207": "Units that do not convert",
    "PK208": "A ticket without an address",
    "PK209": "A test that decides nothing",
    "PK210": "Pinned evidence that cannot be believed",
    "PK211": "A link that leads nowhere",
    "PK301": "The stage asks for more",
    "PK302": "Dates that cannot be",
    "PK303": "A timebox over its budget",
    "PK304": "A claim without its evidence",
    "PK305": "A judgement that is due",
    "PK306": "The stage lags behind",
}

UNREADABLE = frozenset({"PK001", "PK002", "PK003", "PK006"})
"""A file with one of these was not read any further: what it lacks is no problem of its own."""
OVERRIDABLE = frozenset(code for code in CODES if code.startswith("PK3"))
"""Rules of judgement, which a story may set aside with a reason; the page shows it."""
