"""The customers nearest to their segment's centre, under pseudonyms."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXEMPLARS_PER_SEGMENT = 5


@dataclass(frozen=True)
class Exemplar:
    """One row of ``tables.EXEMPLARS`` without its run."""

    segment_id: int
    rank: int
    customer_id: str
    distance: float


def name_exemplars(rows: Sequence[Mapping[str, Any]], name: Callable[[str], str]) -> list[Exemplar]:
    """Return rows of ``warehouse.questions.find_nearest``, each customer under the name given to its id."""
    return [Exemplar(row["segment_id"], row["place"], name(row["customer_id"]), row["distance"]) for row in rows]


def pseudonymise(customer_id: str, *, key: bytes) -> str:
    """Return the HMAC-SHA256 of an id as hexadecimal text (RFC 2104). Who has the key can make it again from the id."""
    return hmac.new(key, customer_id.encode(), hashlib.sha256).hexdigest()
