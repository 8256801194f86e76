"""Reference pages that are made from the code: commands, and the keys of files.

``{commands}`` lists every command as its parser knows it. ``{keys} module.Model`` lists the
tables and keys of a pydantic model, with types, limits, defaults and meanings.
"""

import argparse
import importlib
import inspect
import os
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from darkscan.cli.main import build_parser

Schema = dict[str, Any]


class Commands(SphinxDirective):
    """Lists every command with its usage, arguments and examples."""

    def run(self) -> list[nodes.Node]:
        """Reads the parser of the command line."""
        text = "\n".join(_commands(build_parser(), help_line="", level=2))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Keys(SphinxDirective):
    """Lists the tables and keys of the files that a pydantic model describes."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Reads the model's JSON schema."""
        module, _, name = self.arguments[0].rpartition(".")
        model: type[BaseModel] = getattr(importlib.import_module(module), name)
        text = "\n".join(_keys(model))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Called by Sphinx."""
    os.environ["COLUMNS"] = "88"  # as wide as argparse lays a usage out
    app.add_directive("commands", Commands)
    app.add_directive("keys", Keys)
    app.connect("autodoc-process-signature", _without_fields)
    app.connect("autodoc-process-docstring", _as_plain_text)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _without_fields(*given: Any) -> tuple[str, None] | None:
    """Pydantic models list their fields below, and protocols are never made by a call."""
    _app, _what, _name, documented, *_others = given
    if not inspect.isclass(documented):
        return None
    is_protocol = getattr(documented, "_is_protocol", False)
    return ("", None) if is_protocol or issubclass(documented, BaseModel) else None


def _as_plain_text(*given: Any) -> None:
    """Docstrings are plain text: only ``code`` and lists are marked up."""
    lines: list[str] = given[-1]
    for number, line in enumerate(lines):
        pieces = re.split(r"(`[^`]*`+)", line)
        pieces[::2] = [re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", piece) for piece in pieces[::2]]
        lines[number] = "".join(pieces)


def _commands(parser: argparse.ArgumentParser, *, help_line: str, level: int) -> Iterator[str]:
    """Markdown of a parser and of its commands."""
    if level > 2:  # noqa: PLR2004 - the page has a title of its own
        yield f"{'#' * (level - 1)} {parser.prog}\n"
        yield f"{_prose(parser.description or help_line)}\n"
    usage = parser.format_usage().rstrip().removeprefix("usage: ").replace("\n       ", "\n")
    yield f"```text\n{usage}\n```\n"
    arguments = [action for action in parser._actions if _is_shown(action)]  # noqa: SLF001
    if arguments:
        yield "| argument | meaning |\n|---|---|"
        for action in arguments:
            meaning = _prose(parser._get_formatter()._expand_help(action))  # noqa: SLF001
            yield f"| {_spelling(action)} | {meaning} |"
        yield ""
    if parser.epilog:
        yield f"```text\n{inspect.cleandoc(parser.epilog)}\n```\n"
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            lines = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for name, command in action.choices.items():
                yield from _commands(command, help_line=lines.get(name, ""), level=level + 1)


def _is_shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS and not isinstance(
        action,
        argparse._HelpAction | argparse._SubParsersAction,  # noqa: SLF001
    )


def _spelling(action: argparse.Action) -> str:
    """How an argument is written: ``--out OUT``, or ``IMAGE`` where it has no name."""
    value = action.metavar or (action.dest if not action.option_strings else action.dest.upper())
    if action.choices is not None:
        value = "{" + ",".join(str(choice) for choice in action.choices) + "}"
    if not action.option_strings:
        return f"`{value}`"
    names = ", ".join(action.option_strings)
    return f"`{names}`" if action.nargs == 0 else f"`{names} {value}`"


def _keys(model: type[BaseModel]) -> Iterator[str]:
    """Markdown of a model and of all models in it, each once, with the places it is used at."""
    schema = model.model_json_schema()
    parts: dict[str, Schema] = schema.get("$defs", {})
    places: dict[str, list[str]] = {}
    for name, place in _places(schema, parts):
        places.setdefault(name, []).append(place)
    yield "## Top of the file\n"
    yield from _table(schema, parts)
    for name, its_places in places.items():
        if "properties" in parts[name]:
            yield "## " + ", ".join(f"`{place}`" for place in its_places) + "\n"
            yield _prose(parts[name].get("description", "")) + "\n"
            yield from _table(parts[name], parts)


def _table(part: Schema, parts: dict[str, Schema]) -> Iterator[str]:
    """One row a key."""
    needed = part.get("required", [])
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for key, value in part["properties"].items():
        if key in needed:
            default = "*required*"
        elif value.get("default", ...) in (None, ..., {}) or "$ref" in value:
            default = ""
        else:
            default = f"`{_toml(value['default'])}`"
        tables = [parts[name].get("description", "") for name, _ in _references(value)]
        meaning = _prose(value.get("description") or " ".join(tables))
        yield f"| `{key}` | {_kind(value)} | {default} | {meaning} |"
    yield ""


def _places(part: Schema, parts: dict[str, Schema], at: str = "") -> Iterator[tuple[str, str]]:
    """The parts of a schema and the dotted paths at which they are used, from the top."""
    for key, value in part.get("properties", {}).items():
        for name, suffix in _references(value):
            place = f"{at}{key}{suffix}"
            yield name, place
            yield from _places(parts[name], parts, f"{place}.")


def _references(value: Schema, suffix: str = "") -> Iterator[tuple[str, str]]:
    """The parts that a value refers to; those in lists with ``[]``."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], suffix
    for option in value.get("anyOf", []):
        yield from _references(option, suffix)
    if isinstance(value.get("items"), dict):
        yield from _references(value["items"], f"{suffix}[]")


def _kind(value: Schema) -> str:
    """Words for the values that are allowed."""
    options = [option for option in value.get("anyOf", []) if option.get("type") != "null"]
    if options:
        return " or ".join(_kind(option) for option in options)
    choices = value.get("enum", [value["const"]] if "const" in value else [])
    if choices:
        return ", ".join(f"`{_toml(choice)}`" for choice in choices)
    if "prefixItems" in value:
        return f"array of {len(value['prefixItems'])}: {_kind(value['prefixItems'][0])}"
    if value.get("type") == "array":
        return f"array of {_kind(value.get('items', {}))}"
    word = {"integer": "whole number", "string": "text", "object": "table"}
    kind = str(value.get("type", "table" if "$ref" in value else "any value"))
    return " ".join([word.get(kind, kind), *_limits(value)])


def _limits(value: Schema) -> Iterator[str]:
    words = {
        "exclusiveMinimum": "more than",
        "minimum": "from",
        "exclusiveMaximum": "and less than",
        "maximum": "to",
        "multipleOf": "in steps of",
    }
    for key, word in words.items():
        if key in value:
            yield f"{word} {value[key]:g}"


def _toml(value: object) -> str:
    """A value as TOML and JSON write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _prose(text: str) -> str:
    """Plain text as one line of Markdown; what stands in backquotes stays as it is."""
    pieces = re.split(r"(`+[^`]+`+)", " ".join(text.split()))
    return "".join(
        piece.replace("``", "`").replace("|", r"\|")
        if index % 2
        else re.sub(r"([\[\]*_<>|#$\\])", r"\\\1", piece)
        for index, piece in enumerate(pieces)
    )
