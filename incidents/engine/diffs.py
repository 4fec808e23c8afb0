"""A change as people and `git apply` read it: computed from the exact bytes that will be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from incidents.engine.lines import Span, as_text, spans, split_lines
from monitoring.values import Tree

CONTEXT = 3


def unified_diff(before: Tree, after: Mapping[str, bytes | None]) -> str:
    """Return the unified diff of what will be written: `after` holds only the changed files, None deletes one.

    Text files apply with `git apply`; of a binary file only a note with both sizes is shown.
    """
    return "".join(
        line
        for path in sorted(after)
        if before.get(path) != after[path]
        for line in _file_diff(path, before.get(path), after[path])
    )


def lines_changed(before: Tree, after: Mapping[str, bytes | None]) -> int:
    """Return the number of removed and added lines: the size of a change, also for binary files."""
    return sum(
        (span.old_to - span.old_from) + (span.new_to - span.new_from)
        for path, new in after.items()
        for span in spans(_any_lines(before.get(path)), _any_lines(new))
        if not span.same
    )


def _any_lines(data: bytes | None) -> tuple[str, ...]:
    return split_lines((data or b"").decode("latin-1"))


def _file_diff(path: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    old_text, new_text = as_text(old or b""), as_text(new or b"")
    yield f"diff --git a/{path} b/{path}\n"
    if old is None:
        yield "new file mode 100644\n"
    if new is None:
        yield "deleted file mode 100644\n"
    if old_text is None or new_text is None:
        yield f"Binary file {path} differs: {_size(old)} before, {_size(new)} after\n"
        return
    if not old_text and not new_text:
        return
    yield f"--- {_name('a', path, old)}\n"
    yield f"+++ {_name('b', path, new)}\n"
    yield from _body(split_lines(old_text), split_lines(new_text))


def _size(data: bytes | None) -> str:
    return "no file" if data is None else f"{len(data)} bytes"


def _name(side: str, path: str, data: bytes | None) -> str:
    # A tab ends a name with spaces, as git writes it; without it patch tools cut the name at the first space.
    return "/dev/null" if data is None else f"{side}/{path}" + ("\t" if " " in path else "")


def _body(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for group in _groups(list(spans(old, new))):
        first, last = group[0], group[-1]
        yield (
            f"@@ -{_range(first.old_from, last.old_to)} +{_range(first.new_from, last.new_to)} @@\n"
        )
        for span in group:
            if span.same:
                yield from _marked(" ", old[span.old_from : span.old_to])
            else:
                yield from _marked("-", old[span.old_from : span.old_to])
                yield from _marked("+", new[span.new_from : span.new_to])


def _groups(all_spans: list[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    for index, span in enumerate(all_spans):
        if not span.same:
            group.append(span)
            continue
        length = span.old_to - span.old_from
        first, last = index == 0, index == len(all_spans) - 1
        if group and (last or length > 2 * CONTEXT):
            yield [*group, _cut(span, 0, min(length, CONTEXT))]
            group = []
        if not last:
            keep = length if length <= 2 * CONTEXT and not first else min(length, CONTEXT)
            group.append(_cut(span, length - keep, length))
    if any(not span.same for span in group):
        yield group


def _cut(span: Span, start: int, stop: int) -> Span:
    return Span(
        span.same,
        span.old_from + start,
        span.old_from + stop,
        span.new_from + start,
        span.new_from + stop,
    )


def _range(start: int, stop: int) -> str:
    length = stop - start
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield (
            f"{mark}{line}"
            if line.endswith("\n")
            else f"{mark}{line}\n\\ No newline at end of file\n"
        )
