"""Edits of a story's front matter that keep every byte they are not about.

People write stories, and commands write into them. An edit is therefore one splice of the
text as it stands, placed by the marks of the parsed YAML: comments, order, quotes, styles
and line ends elsewhere cannot change. What the splice did is read back, and unless the
data is the old data with this one change and the narrative is the same, the edit is
refused: a form of YAML that is not foreseen here costs a message, never a story.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

import yaml
from frontmatter.default_handlers import YAMLHandler

from ingest.errors import one_line
from ingest.marked import Document, Path, decode, read_document, read_yaml, spell

Value: TypeAlias = "str | int | date | Sequence[Value] | Mapping[str, Value]"
# Where the new text begins, where what it replaces ends, and the new text.
_Splice: TypeAlias = tuple[int, int, str]

# The reader's own: two parsers would disagree about what is YAML.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class EditError(ValueError):
    """The edit cannot be made; the text says why."""


class Flow(dict[str, Any]):
    """A mapping that is to be written in braces, on one line."""


def set_value(text: str, path: Path, value: Value, *, after: str | None = None) -> str:
    """`text` with `value` at `path`; unchanged where it says so already.

    Mappings that are missing on the way are made. A new key stands behind the key `after`
    of its mapping, or last. EditError where `path` leads through a text or to a missing item.
    """
    story, made = _Story(text), _plain(value)
    splice = story.put(path, made, after)
    return text if _at(story.data, path) == made else story.spliced(splice, _with(story.data, path, made))


def append_item(text: str, path: Path, value: Value) -> str:
    """`text` with `value` as the last item of the list at `path`, in the style of the one before it."""
    story, made = _Story(text), _plain(value)
    splice = story.append(path, made)
    return story.spliced(splice, _with(story.data, path, [*(_at(story.data, path) or []), made]))


def remove(text: str, path: Path) -> str:
    """`text` without the key at `path`, and `{}` where it was the only one; EditError where it is not there."""
    story = _Story(text)
    splice = story.cut(path)
    rest = {key: value for key, value in _at(story.data, path[:-1]).items() if key != path[-1]}
    return story.spliced(splice, _with(story.data, path[:-1], rest))


class _Story:
    """A story's text, and the nodes of its front matter.

    Splices are made for `text`, which has no byte order mark and ends each line with \\n;
    `spliced` carries them over to the file's own bytes.
    """

    def __init__(self, original: str) -> None:
        self.original = original
        self.document = _read(original)
        self.data = self.document.data
        raw = original.encode()
        self.text, _ = decode("", raw, len(raw))
        opening, closing, *_ = YAMLHandler.FM_BOUNDARY.finditer(self.text)
        self.end = closing.start()
        # With line breaks in place of the opening fence, the marks count from the text's beginning.
        self.root = yaml.compose("\n" * opening.end() + self.text[opening.end() : self.end], Loader=_LOADER)

    def put(self, path: Path, value: Any, after: str | None) -> _Splice:
        nodes = self.nodes(path)
        known, missing = path[: len(nodes) - 1], path[len(nodes) - 1 :]
        has_keys = isinstance(nodes[-1], yaml.MappingNode) and bool(nodes[-1].value)
        if missing and not has_keys and _at(self.data, known) not in (None, {}):
            raise EditError(f"{spell(known)} is no mapping, and has no {spell(missing)}")
        if any(isinstance(part, int) for part in missing):
            raise EditError(f"there is no {spell(path)}")
        for key in reversed(missing[has_keys:]):
            value = {key: value}
        if missing and has_keys:
            return self._add(nodes, str(missing[0]), value, after)
        if self.root is None:
            return self.end, self.end, "".join(f"{line}\n" for line in _block(value))
        return self._replace(nodes, value)

    def append(self, path: Path, value: Any) -> _Splice:
        nodes = self.nodes(path)
        if len(nodes) <= len(path) or _at(self.data, path) in (None, []):
            return self.put(path, [value], None)
        if not isinstance(nodes[-1], yaml.SequenceNode):
            raise EditError(f"{spell(path)} is no list")
        first, last = nodes[-1].value[0], nodes[-1].value[-1]
        end = self._end(last)
        if nodes[-1].flow_style:
            return end, end, f", {_inline(value, within=True)}"
        if isinstance(value, dict) and isinstance(last, yaml.MappingNode):
            value = Flow(value) if last.flow_style else dict(value)
        dash = nodes[-1].start_mark.index
        gap = re.match("-( +)[^ \n]", self.text[dash : first.start_mark.index + 1])
        return self._below(end, dash, _item(value, f"-{gap[1] if gap else ' '}"))

    def cut(self, path: Path) -> _Splice:
        nodes = self.nodes(path)
        if not path or isinstance(path[-1], int) or len(nodes) <= len(path):
            raise EditError(f"there is no key {spell(path)}")
        entries = nodes[-2].value
        if len(entries) == 1:
            return self._replace(nodes[:-1], {})
        here = next(number for number, (_, value) in enumerate(entries) if value is nodes[-1])
        begin, end = entries[here][0].start_mark.index, self._end(nodes[-1])
        if nodes[-2].flow_style and here + 1 < len(entries):
            return begin, entries[here + 1][0].start_mark.index, ""
        if nodes[-2].flow_style:
            before = self._end(entries[here - 1][1])
            # A comment in between is about what stays.
            return (begin if "#" in self.text[before:begin] else before), end, ""
        below = self._line_end(end) + 1
        if self._is_first(begin):
            return self._line(begin), below, self._comments(entries[here], self._line(begin), below)
        # It shares its line with the dash of a list's item: what comes next moves up to the dash.
        return begin, below + len(self.text[below:]) - len(self.text[below:].lstrip()), ""

    def _comments(self, nodes: Sequence[Any], begin: int, end: int) -> str:
        """The comments in a part of the text that holds these nodes, each on a line of its own."""
        scalars = [scalar for node in nodes for scalar in _scalars(node)]
        edges = [begin, *(edge for each in scalars for edge in (each.start_mark.index, self._end(each))), end]
        gaps = (self.text[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2))
        found = [comment for gap in gaps for comment in re.findall(r"(?<!\S)#.*", gap)]
        indent = " " * self._column(nodes[0].start_mark.index)
        return "".join(f"{indent}{comment}\n" for comment in found)

    def spliced(self, splice: _Splice, expected: Any) -> str:
        begin, end = self._original_index(splice[0]), self._original_index(splice[1])
        line_end = re.search("\r\n?|\n", self.original)
        new = splice[2].replace("\n", line_end[0] if line_end else "\n")
        made = self.original[:begin] + new + self.original[end:]
        found = _read(made)
        if (found.data, found.body) != (expected, self.document.body):
            raise EditError("this cannot be written safely into the front matter as it stands; edit the file by hand")
        return made

    def nodes(self, path: Path) -> list[Any]:
        """The nodes from the root to the one at `path`, as far as they are there."""
        nodes = [self.root]
        for part in path:
            inner = nodes[-1].value if isinstance(nodes[-1], yaml.CollectionNode) else []
            named = isinstance(nodes[-1], yaml.MappingNode)
            entries = ((key.value, node) for key, node in inner) if named else enumerate(inner)
            found = next((node for key, node in entries if key == part), None)
            if found is None:
                break
            nodes.append(found)
        return nodes

    def _add(self, nodes: list[Any], key: str, value: Any, after: str | None) -> _Splice:
        holder = nodes[-1]
        end = self._end(next((node for name, node in holder.value if name.value == after), holder.value[-1][1]))
        if holder.flow_style:
            return end, end, f", {_key(key)}: {_inline(value, within=True)}"
        # A comment that is indented further belongs to what stands above it, such as an item that was set aside.
        deeper = rf"(?:[ \t]*\n)*[ ]{{{self._column(holder.start_mark.index) + 1},}}#.*\n"
        own = re.compile(f"\n((?:{deeper})*)").match(self.text, self._line_end(end))
        end = own.end() - 1 if own else end
        return self._below(end, holder.start_mark.index, _entry(key, value))

    def _replace(self, nodes: list[Any], value: Any) -> _Splice:
        *above, node = nodes
        begin, end = node.start_mark.index, self._end(node)
        within = any(each.flow_style for each in above)
        key_column = (
            self._column(above[-1].start_mark.index) if above and isinstance(above[-1], yaml.MappingNode) else -1
        )
        # Of all values below their key, only a list in block style may stand as far left as the key.
        shift = "  " if self._column(begin) == key_column else ""
        has_parts = isinstance(node, yaml.CollectionNode) and bool(node.value)
        if has_parts and not node.flow_style and value and type(value) in (dict, list):
            shift = "" if isinstance(value, list) else shift
            return begin, end, shift + f"\n{' ' * self._column(begin)}{shift}".join(_block(value))
        lead = len(self.text[:begin].rstrip())
        if self._is_first(begin) and self.text[lead - 1] == ":" and "#" not in self.text[self._line(lead) : lead]:
            # A value below its key moves up to it, unless there is a comment on the way.
            begin, shift = lead, ""
        # Behind the sign of a text over several lines, as in `>-`, there may be a comment.
        sign = re.match(r"[|>][-+\d]*([ \t]+#.*)", self.text[begin:end])
        comment = sign[1] if sign else ""
        if _is_block(value) and key_column >= 0 and not (within or has_parts):
            begin, line_end = len(self.text[:begin].rstrip(" ")), self._line_end(end)
            behind = (comment + self.text[end:line_end]).rstrip()
            return begin, line_end, f"\n{' ' * (key_column + 2)}".join([behind, *_block(value)])
        gap = shift if self.text[begin - 1] in " \n[{," else " "
        return begin, end, gap + _inline(value, within) + comment

    def _end(self, node: Any) -> int:
        """Where what is written of `node` ends; a block's mark may stand blank lines and comments later."""
        while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
        begin, end = node.start_mark.index, node.end_mark.index
        if getattr(node, "style", None) not in ("|", ">"):
            return int(end)
        written = self.text[begin:end].rstrip(" ")
        # Blank lines at its end belong to the text where its sign has a +.
        written = written[:-1] if re.match(r".\d?\+", written) else written.rstrip(" \n")
        return self._line_end(begin + len(written))

    def _below(self, end: int, like: int, lines: list[str]) -> _Splice:
        """New lines below that of `end`, indented as what stands at `like`."""
        at = self._line_end(end) + 1
        return at, at, "".join(f"{' ' * self._column(like)}{line}\n" for line in lines)

    def _line(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        return self.text.index("\n", index)

    def _column(self, index: int) -> int:
        return index - self._line(index)

    def _is_first(self, index: int) -> bool:
        return not self.text[self._line(index) : index].strip()

    def _original_index(self, index: int) -> int:
        index += self.original.startswith("\ufeff")
        for pair in re.finditer("\r\n", self.original):
            if pair.start() >= index:
                break
            index += 1
        return index


def _scalars(node: Any) -> Iterator[Any]:
    """The texts of a node, in the order in which they stand."""
    if not isinstance(node, yaml.CollectionNode):
        yield node
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for each in pair:
                yield from _scalars(each)
    else:
        for each in node.value:
            yield from _scalars(each)


def _read(text: str) -> Document:
    document = read_document("", text.encode(errors="surrogatepass"))
    if document.problems:
        problem = document.problems[0]
        raise EditError(f"line {problem.where.line}: {problem.what}")
    return document


def _at(data: Any, path: Path) -> Any:
    """The value at `path`, or None."""
    try:
        for part in path:
            data = data[part]
    except (KeyError, TypeError):
        return None
    return data


def _with(data: Any, path: Path, value: Any) -> Any:
    """A copy of `data` with `value` at `path`."""
    if not path:
        return value
    inner = _with(_at(data, path[:1]), path[1:], value)
    if isinstance(data, list):
        return [inner if number == path[0] else item for number, item in enumerate(data)]
    return {**(data or {}), path[0]: inner}


def _plain(value: Value) -> Any:
    """`value` as the reader gives it back: texts, and lists and mappings of them; UnicodeError for half a character."""
    if isinstance(value, Mapping):
        made = {str(key): _plain(each) for key, each in value.items()}
        return Flow(made) if isinstance(value, Flow) else made
    if isinstance(value, date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (str, int)):
        return (str(value).lower() if isinstance(value, bool) else str(value)).encode().decode()
    return [_plain(each) for each in value]


def _is_block(value: Any) -> bool:
    """Whether a value is written on lines of its own: all but texts, lists of texts, and what is empty."""
    if isinstance(value, list):
        return any(each and isinstance(each, (dict, list)) for each in value)
    return bool(value) and isinstance(value, dict) and not isinstance(value, Flow)


def _block(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [line for key, each in value.items() for line in _entry(key, each)]
    return [line for each in value for line in _item(each)]


def _entry(key: str, value: Any) -> list[str]:
    if _is_block(value):
        return [f"{_key(key)}:", *(f"  {line}" for line in _block(value))]
    return [f"{_key(key)}: {_inline(value)}"]


def _item(value: Any, dash: str = "- ") -> list[str]:
    first, *more = _block(value) if _is_block(value) else [_inline(value)]
    return [dash + first, *(" " * len(dash) + line for line in more)]


def _inline(value: Any, within: bool = False) -> str:
    """A value on one line; `within` brackets more texts need quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_inline(each, True)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(each, True) for each in value) + "]"
    # The reader itself says which texts need quotes.
    tried = read_yaml("", (f"{{a: {value}}}" if within else f"a: {value}").encode(errors="replace"))
    return value if not tried.problems and tried.data == {"a": value} else _quoted(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"\w[\w-]*", key) else _quoted(key)


def _quoted(text: str) -> str:
    # YAML has Python's escapes for what cannot be printed.
    return '"' + one_line(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
