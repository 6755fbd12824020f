"""YAML read strictly: the line of a syntax error is named, and a key given twice is refused."""

from __future__ import annotations

from pathlib import Path

import yaml

from groundswell.errors import BatchError


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader, except that the second of two equal keys does not silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        """Refuse a mapping that has a key twice."""
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"option {key.value!r} is there twice, first on line {seen[key.value]}; "
                        "remove one of them",
                        problem_mark=key.start_mark,
                    )
                seen[key.value] = line
        return super().construct_mapping(node, deep=deep)


def read_text(path: Path) -> str:
    """Read a batch file.

    Raises:
        BatchError: if the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise BatchError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BatchError(f"{path}: is not UTF-8 (byte {error.start}); save the file as UTF-8") from None


def parse_yaml(text: str, path: Path) -> object:
    """Return the one YAML document in the text of ``path``.

    Raises:
        BatchError: if it is not valid YAML.
    """
    try:
        # the loader builds plain values only, as SafeLoader does
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BatchError(f"{path}: {where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BatchError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
