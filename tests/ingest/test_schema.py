import time
from typing import Annotated, Literal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import Discriminator, Field, Tag

from ingest.fields import Day, Line, Name, Strict
from ingest.marked import Marked, read_yaml, spell
from ingest.schema import MOST_MISTAKES, read_model, read_whole

FILE = "a.yml"


class Word(Strict):
    word: Line
    day: Day | None = None


class Number(Strict):
    number: Annotated[int, Field(ge=1)]
    for_: Annotated[Line | None, Field(alias="for")] = None


Either = Annotated[
    Annotated[Word, Tag("<word>")] | Annotated[Number, Tag("<number>")],
    Discriminator(lambda value: "<number>" if isinstance(value, dict) and "number" in value else "<word>"),
]


class Sample(Strict):
    name: Line
    colour: Literal["red", "green"] = "red"
    words: tuple[Word, ...] = ()
    mixed: tuple[Either, ...] = ()
    named: dict[Name, Either] = Field(default_factory=dict)
    lines: tuple[Line, ...] = ()


def marked(text: str) -> Marked:
    return read_yaml(FILE, text.encode())


def problems(text: str) -> list[str]:
    """The mistakes as `line:column code what (hint)`."""
    found = read_model(Sample, marked(text), {"name": "none"})[2]
    return [str(problem).removeprefix(f"{FILE}:").replace(": ", " ", 1) for problem in sorted(found)]


def left(text: str) -> Sample:
    return read_model(Sample, marked(text), {"name": "none"})[0]


def test_no_mistake() -> None:
    """What is right is read as it stands."""
    model, usable, found = read_model(Sample, marked("name: a\nwords: [{word: b}]"), {})
    assert model == Sample(name="a", words=(Word(word="b"),))
    assert found == []
    assert usable.data == {"name": "a", "words": [{"word": "b"}]}


def test_unknown_fields() -> None:
    """An unknown key is an error that names the closest known one, or all of them, at every depth."""
    assert problems("name: a\ncolor: red\nwords:\n  - word: b\n    wrod: c\nnamed: {x: {number: 1, fro: y}}\n") == [
        "2:1 PK101 color is not a known field (did you mean colour?)",
        "5:5 PK101 words[0].wrod is not a known field (did you mean word?)",
        "6:24 PK101 named.x.fro is not a known field (did you mean for?)",
    ]
    assert problems("name: a\nxyz: 1") == [
        "2:1 PK101 xyz is not a known field (known: colour, lines, mixed, name, named, words)"
    ]


def test_unknown_fields_without_a_value() -> None:
    """An unknown key is an error also where nothing stands behind it."""
    assert problems("name: a\ncolor:\n") == ["2:1 PK101 color is not a known field (did you mean colour?)"]


def test_missing_fields() -> None:
    """A missing field is named at what should hold it, and an empty one at its key."""
    assert problems("words:\n  - {day: 2026-09-01}\n  - word:\n") == [
        "1:1 PK102 name is missing (add `name: ...`)",
        "2:5 PK102 words[0].word is missing (add `word: ...`)",
        "3:5 PK102 words[1].word is missing (add `word: ...`)",
    ]


def test_wrong_values() -> None:
    """A value that cannot be understood is quoted, with what to write instead."""
    assert problems("name: [a]\nwords: [{word: b, day: soon}]\nmixed: {a: b}\nnamed: [a]\nlines: [a, ~]\n") == [
        "1:1 PK103 name: a text is expected here (quote a text that begins with [ or {)",
        "2:19 PK103 words[0].day: 'soon' is not a date (write a day such as 2026-09-01)",
        "3:1 PK103 mixed: must be a list (write [one, two], or one a line with a hyphen)",
        "4:1 PK103 named: must be a mapping (write `key: value` lines below it)",
        "5:12 PK103 lines[1]: this text is empty (write it, or leave the key out)",
    ]


def test_wrong_numbers() -> None:
    """A number that is none, or too small, is named."""
    assert problems("name: a\nmixed: [{number: two}, {number: 1.5}, {number: 0}]") == [
        "2:10 PK103 mixed[0].number: 'two' is not a whole number (write digits only)",
        "2:25 PK103 mixed[1].number: '1.5' is not a whole number (write digits only)",
        "2:40 PK103 mixed[2].number: '0' is less than 1",
    ]


def test_choices() -> None:
    """A value that is none of the choices is named with all of them, and with the closest if one is close."""
    assert problems("name: a\ncolour: gren") == [
        "2:1 PK104 colour: 'gren' is not one of red, green (did you mean green?)"
    ]
    assert problems("name: a\ncolour: blue") == ["2:1 PK104 colour: 'blue' is not one of red, green"]


def test_forbidden_characters() -> None:
    """A character that cannot stand in a text has a code of its own."""
    assert problems('name: "a\\u202eb"') == ["1:1 PK105 name: the character U+202E cannot stand here (remove it)"]


def test_wrong_keys() -> None:
    """A key of a free mapping that is no name is called by itself."""
    assert problems("name: a\nnamed:\n  No name: {word: b}\n") == [
        "3:3 PK103 named.No name: 'No name' is not a name (lower-case letters, digits and _, a letter first)"
    ]


def test_unions_are_not_seen() -> None:
    """A mistake within one of several shapes is placed at its own key, also where a key is called like the shape."""
    text = "name: a\nmixed:\n  - {word: b, day: soon}\n  - {number: x, word: b}\nnamed: {word: {day: x}}\n"
    assert problems(text) == [
        "3:15 PK103 mixed[0].day: 'soon' is not a date (write a day such as 2026-09-01)",
        "4:6 PK103 mixed[1].number: 'x' is not a whole number (write digits only)",
        "4:17 PK101 mixed[1].word is not a known field (known: for, number)",
        "5:9 PK102 named.word.word is missing (add `word: ...`)",
        "5:16 PK103 named.word.day: 'x' is not a date (write a day such as 2026-09-01)",
    ]


def test_long_values() -> None:
    """A long wrong value is not repeated in full, and what is wrong with it is said."""
    (said,) = problems(f"name: a\nwords: [{{word: b, day: {'x' * 5000}}}]")
    assert len(said) < 600
    assert "xxx ... xxx" in said
    assert "is not a date" in said


def test_one_line_a_problem() -> None:
    """A problem is one line, whatever the keys of the file hold."""
    (said,) = problems('name: a\n"b\\n::error::\\e[31m\\u202e": c')
    assert said.startswith(r"2:1 PK101 b\n::error::\x1b[31m\u202e is not a known field")


def test_the_rest_is_read() -> None:
    """What is right around the mistakes is read: optional values, items of lists, entries of mappings."""
    text = """
        name: a
        colour: blue
        words: [{word: b, day: soon}, {wrod: c}, {word: d}, {}, {word: e, day: 2026-09-01}]
        named: {x: {word: f}, No name: {word: g}, y: {number: none}}
        lines: [one, ~, two]
        odd: 1
    """
    model = left("\n".join(line.strip() for line in text.split("\n")))
    assert model.name == "a"
    assert model.colour == "red"
    assert [each.word for each in model.words] == ["b", "d", "e"]
    assert set(model.named) == {"x"}
    assert model.lines == ("one", "two")


def test_defaults_stand_in() -> None:
    """A required field that is missing or wrong has its default."""
    assert left("").name == "none"
    assert left("name: [a]").name == "none"


def test_several_mistakes_in_one_item() -> None:
    """An item of a list that lacks several fields goes alone, the next one stays."""
    text = "name: a\nmixed: [{number: x, word: y}, {number: 2}, {day: x}, {word: z}]"
    assert [type(each).__name__ for each in left(text).mixed] == ["Number", "Word"]


def test_marks_after_a_removed_item() -> None:
    """The items behind a removed one move up, and keep their places in the file."""
    text = "name: a\nwords:\n  - {wrong: 1}\n  - word: b\n    day: 2026-09-01\n  - 5\n  - word: c\n"
    usable = read_model(Sample, marked(text), {})[1]
    assert usable.data["words"] == [{"word": "b", "day": "2026-09-01"}, {"word": "c"}]
    assert {spell(path): (at.line, at.column) for path, at in usable.marks.items() if path[:1] == ("words",)} == {
        "words": (2, 1), "words[0]": (4, 5), "words[0].word": (4, 5), "words[0].day": (5, 5), "words[1]": (7, 5),
        "words[1].word": (7, 5),
    }  # fmt: skip


def test_what_was_read_stays() -> None:
    """Taking mistakes out leaves the marked data as it was."""
    given = marked("name: a\nwords: [{x: 1}]")
    read_model(Sample, given, {})
    assert given.data == {"name": "a", "words": [{"x": "1"}]}


def test_many_mistakes() -> None:
    """Of as many mistakes as fit into a file a thousand are named, in a time that grows with their number only."""
    begun = time.monotonic()
    assert len(problems("name: a\nwords: [" + "a," * 30_000 + "]")) == MOST_MISTAKES
    assert len(problems("name: a\n" + "\n".join(f"a{n}: 1" for n in range(7_000)))) == MOST_MISTAKES
    assert time.monotonic() - begun < 10


def test_all_or_nothing() -> None:
    """`read_whole` gives a model only where there is no mistake."""
    assert read_whole(Word, marked("word: a")) == (Word(word="a"), [])
    model, found = read_whole(Word, marked("wrd: a"))
    assert model is None
    assert [problem.code for problem in found] == ["PK102", "PK101"]


def test_keys_that_are_read_elsewhere() -> None:
    """A key that another model reads is suggested as well."""
    assert read_whole(Word, marked("word: a\nhstory: b"), {"history"})[1][0].hint == "did you mean history?"


VALUES = st.recursive(
    st.sampled_from(["", "a", "2026-09-01", "1", "red", "~", "1:30", '"\\u202e"', "soon"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(
                ["name", "word", "day", "number", "for", "words", "mixed", "named", "x", "<word>", "'[key]'", "''"]
            ),
            inner,
            max_size=4,
        ).map(lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}")
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*Sample.model_fields, "odd", "<word>", "'[key]'"]), VALUES, max_size=6))
def test_any_shape(values: dict[str, str]) -> None:
    """Values of any shape yield a model, a problem at a place of the file for each mistake, and a rest without any."""
    text = "".join(f"{key}: {value}\n" for key, value in values.items())
    given_file = marked(text)
    model, usable, found = read_model(Sample, given_file, {"name": "none"})
    lines = text.split("\n")
    for problem in found:
        assert 1 <= problem.where.line <= len(lines)
        assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 1
    assert bool(found) == (read_whole(Sample, given_file)[0] is None)
    assert read_model(Sample, usable, {"name": "none"})[0] == model
    assert all(usable.where(path) == usable.marks[path] for path in usable.marks)
