"""A secret that the configuration takes from the environment, or an address holds, appears nowhere."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation import redaction
from segmentation.cli import main
from segmentation.config.load import load_config
from segmentation.errors import ConfigError, SourceError
from segmentation.redaction import redact

CANARY = "c4n4ry-s3cret"
YAML = """
warehouse: {path: %s/w}
sources:
  customers: {format: csv, path: "%s/${env:PLACE}/c.csv", customer_id: id, attributes: {age: {from: age, type: number}}}
features: {use: {age: {}}}
clustering: {k_max: 3, seeds: [1]}
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://me:pw@bucket/x", "s3://me:***@bucket/x"),
        ("https://a/b?sig=abc&x=1", "https://a/b?sig=***&x=1"),
        ("password=hunter2; next", "password=***; next"),
        ("at 10:30 user@example.com", "at 10:30 user@example.com"),
    ],
)
def test_passwords_within_addresses_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert str(SourceError(text, expected="x", found="y")).startswith(shown)


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLACE", raising=False)
    (tmp_path / "c.yaml").write_text(YAML % (tmp_path, tmp_path))

    with pytest.raises(ConfigError, match="path: expected the environment variable PLACE, found none"):
        load_config(str(tmp_path / "c.yaml"))


def test_the_canary_appears_nowhere(
    jvm: SparkSession, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", CANARY)
    config = tmp_path / "c.yaml"
    config.write_text(YAML % (tmp_path, tmp_path))
    (tmp_path / CANARY).mkdir()
    source = tmp_path / CANARY / "c.csv"

    codes = [main(["run", "--config", str(config)])]
    source.write_text("id,age\n" + "\n".join(f"{n},{30 * (n % 2)}{n % 3}" for n in range(40)) + "\n41,old\n")
    codes.append(main(["run", "--config", str(config)]))

    told = "".join(capsys.readouterr())
    assert codes == [5, 0]
    assert "***/c.csv" in told
    assert CANARY not in told
    written = [path for path in (tmp_path / "w").rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
