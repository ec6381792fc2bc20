"""Paths of data in, a configuration file out that passes the same checks as one written by hand."""

from collections.abc import Sequence
from pathlib import Path

from segmentation.config.load import load_config
from segmentation.config.write import render
from segmentation.errors import ConfigError
from segmentation.init.compose import compose
from segmentation.init.guesses import guess_tables
from segmentation.init.sample import take_samples


def write_configuration(data: Sequence[str], *, output: str, is_forced: bool) -> list[str]:
    """Write a configuration for data files; return what was found and what comes next, a line each.

    Raises
    ------
    ConfigError
        If the output is there and not to be replaced, or cannot be written.
    SourceError
        If the data cannot be read, or what a run needs is not among them.
    """
    place = Path(output)
    if place.exists() and not is_forced:
        raise ConfigError("--output", expected="a new file, or --force to replace it", found=output)
    tables = guess_tables(take_samples(data))
    _save(place, render(compose(tables)))
    found = [
        f"{name:13}{table.sample.told}: {table.sample.rows}, {len(table.profiles)} columns" for name, table in tables.items()
    ]
    return [*found, f"Configuration: {output}", f"Read it, then: segmentation run --config {output}"]


def _save(place: Path, text: str) -> None:
    """Write a text that is a valid configuration, whole or not at all."""
    unfinished = place.with_name(f".{place.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        load_config(str(unfinished))
        unfinished.replace(place)
    except OSError as error:
        raise ConfigError("--output", expected="a file that can be written", found=f"{place} ({error.strerror})") from None
    finally:
        unfinished.unlink(missing_ok=True)
