"""One YAML file, with the command line's values over it, becomes one checked ``Config``; the only module that knows YAML."""

import os
import re
from datetime import date
from glob import glob
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from segmentation.config.schema import Config, Warehouse
from segmentation.config.sources import Section, SourceSpec
from segmentation.errors import ConfigError
from segmentation.redaction import remember

_EXPECTED = re.compile(r" (?:is|are) expected\b")
_ALTERNATIVE = re.compile(r"^constrained-str$|\[.*\]$")  # which of several kinds pydantic tried: no key of the file
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")  # neither Java nor a file system knows what they are
_MOST_VALUES = 100_000
_ENVIRONMENT = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def load_config(
    path: str,
    *,
    as_of: str | None = None,
    inputs: dict[str, str] | None = None,
    warehouse: str | None = None,
    k: int | None = None,
    is_to_run: bool = True,
) -> Config:
    """Read a YAML file, lay the command line's values over it, and check the whole.

    Without ``is_to_run`` it need not say where the sources lie: only the warehouse is looked at.

    Raises
    ------
    ConfigError
        With the place, what was expected and what was found.
    """
    content = _read_yaml(path)
    for name, source_path in (inputs or {}).items():
        sources = content.get("sources")
        if not isinstance(sources, dict) or not isinstance(sources.get(name), dict):
            raise ConfigError(f"--input {name}", expected=f"a source configured in {path}", found=f"no sources.{name}")
        sources[name]["path"] = source_path
    if warehouse is not None:
        content["warehouse"] = {"path": warehouse}
    if as_of is not None:
        content["as_of"] = as_of
    if isinstance(content.get("as_of"), str):
        content["as_of"] = _parse_day(content["as_of"], "--as-of" if as_of else f"{path}: as_of")
    if k is not None:
        content["k"] = k
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise _one_line(path, error) from None
    if is_to_run:
        _check_complete(path, config)
    return config


def _check_complete(path: str, config: Config) -> None:
    for name, spec in config.sources.declared().items():
        if spec.path is None:
            raise ConfigError(f"sources.{name}.path", expected=f"a path in {path} or --input {name}=PATH", found="neither")
        _check_outside(f"sources.{name}.path", spec, config.warehouse)
    customers = config.sources.customers
    if customers and config.as_of is None and any(spec.type == "date" for spec in customers.attributes.values()):
        raise ConfigError("--as-of", expected="a day YYYY-MM-DD, for an attribute is a date", found="none")
    if config.sources.transactions and config.as_of is None:
        raise ConfigError("--as-of", expected="a day YYYY-MM-DD, for there is a transactions source", found="none")


def _check_outside(place: str, spec: SourceSpec, warehouse: Warehouse) -> None:
    """Refuse a source that a run of this configuration wrote or will write: it holds every run's rows."""
    for path in spec.paths:
        own = warehouse.catalog_schema if spec.format == "table" else warehouse.path
        is_own = (
            path.rpartition(".")[0] in (own, str(own).rpartition(".")[2])
            if spec.format == "table"
            else own is not None and spec.format in ("delta", "parquet") and _lies_within(path, own)
        )
        if is_own:
            raise ConfigError(place, expected="a source outside of the warehouse", found=path)


def _lies_within(path: str, folder: str) -> bool:
    """Say whether a path, or a place that its pattern stands for, is a folder or below it, whatever way both are written."""
    one, other = _whole(path), _whole(folder)
    places = [one] if _is_uri(one) else [one, *(str(Path(place).resolve()) for place in glob(one))]  # noqa: PTH207  Path.glob takes no absolute pattern
    return any(place == other or place.startswith(other + "/") for place in places)


def _whole(text: str) -> str:
    text = re.sub("^s3[an]?://", "s3://", re.sub("^(?i:file):(?://(?=/))?", "", text))
    return text.rstrip("/") if _is_uri(text) else str(Path(text).resolve())


def _is_uri(text: str) -> bool:
    return "://" in text


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError("--config", expected="a readable YAML file", found=f"{path} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError("--config", expected="a YAML file in UTF-8", found=path) from None
    except ValueError:  # a NUL
        raise ConfigError("--config", expected="a readable YAML file", found=path) from None
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(
            path, expected="YAML with each key once", found=f"{str(error.problem).removeprefix('found ')}{line}"
        ) from None
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:  # as a day that no calendar has
        found = str(error).splitlines() or [type(error).__name__]
        raise ConfigError(path, expected="YAML with each key once", found=found[0]) from None
    if not isinstance(content, dict):
        raise ConfigError(path, expected="a mapping of sections", found=type(content).__name__)
    try:
        if _count(content, _MOST_VALUES) > _MOST_VALUES:
            raise ConfigError(path, expected=f"at most {_MOST_VALUES:,} values, anchors spelt out", found="more")
        filled: dict[str, Any] = _fill(content, path)
    except RecursionError:
        raise ConfigError(path, expected="values that end", found="an anchor within itself") from None
    return filled


def _count(value: Any, most: int) -> int:
    """Return how many values there are with what anchors stand for, or a number above ``most``: their anchors may have no end."""
    inner: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else ()
    total = 1
    for one in inner:
        total += _count(one, most - total)
        if total > most:
            break
    return total


def _fill(value: Any, place: str) -> Any:
    """Return a value with each ``${env:NAME}`` in its texts replaced, and what took its place never shown."""
    if isinstance(value, dict):
        return {key: _fill(one, f"{place}: {key}") for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, place) for one in value]
    if isinstance(value, str) and _UNWRITABLE.search(value):
        raise ConfigError(place, expected="text without NUL and half letters", found=repr(value))
    return _ENVIRONMENT.sub(lambda found: _look_up(found.group(1), place), value) if isinstance(value, str) else value


def _look_up(name: str, place: str) -> str:
    if name not in os.environ:
        raise ConfigError(place, expected=f"the environment variable {name}", found="none")
    remember(os.environ[name])
    return os.environ[name]


def _parse_day(text: str, place: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(place, expected="a day YYYY-MM-DD", found=text) from None


def _one_line(path: str, error: ValidationError) -> ConfigError:
    # A misspelt key is also a missing one, the spelling says more; and a list is no text where either is allowed.
    first = min(error.errors(), key=lambda fault: (fault["type"] != "extra_forbidden", _is_of_other_kind(fault)))
    place = ".".join(str(part) for part in first["loc"] if not _ALTERNATIVE.search(str(part)))
    given = first["input"]
    found = "otherwise" if isinstance(given, dict | Section) else str(given) if isinstance(given, date) else repr(given)
    # A validator says "a name is expected, found x": the line has both words already.
    said, _, own = first["msg"].removeprefix("Value error, ").partition(", found ")
    expected, found = _EXPECTED.sub("", said.removeprefix("Input should be "), count=1).rstrip(","), own or found
    if (first["type"] == "string_type" or "ColumnSpec" in said) and isinstance(given, int | float | date):
        expected = "text, in quotes where it looks like a number, a date, true or false"
    if first["type"] == "extra_forbidden":
        expected, found = f"one of {', '.join(_known_keys(first['loc'][:-1]))}", f"unknown key {first['loc'][-1]!r}"
    if first["type"] == "missing":
        expected, found = "a value", "none"
    if len(found) > 120:
        found = found[:117] + "..."
    return ConfigError(f"{path}: {place}" if place else path, expected=expected, found=found)


def _is_of_other_kind(fault: Any) -> bool:
    return bool(fault["type"] == "string_type" and isinstance(fault["input"], list))


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section at ``location`` in a configuration."""
    section: Any = Config
    for part in location:
        field = section.model_fields.get(str(part))
        annotation: Any = field.annotation if field else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        inner = [found for candidate in candidates for found in (candidate, *getattr(candidate, "__args__", ()))]
        section = next((kind for kind in inner if isinstance(kind, type) and issubclass(kind, Section)), section)
    return sorted(field.alias or name for name, field in section.model_fields.items())
