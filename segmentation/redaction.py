"""What must never be shown: values of ``${env:NAME}``, and passwords within addresses."""

import re

_HIDDEN = "***"
_known: set[str] = set()
# user:password@ in an address, and what queries and options call a secret.
_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")
_OPTION = re.compile(r"(?i)\b(password|passwd|pwd|secret|token|sig|signature|access_?key|account_?key|api_?key)=([^&;\s\"']+)")


def remember(secret: str) -> None:
    """Hide a value from now on wherever ``redact`` passes; one of a letter or two would hide everything."""
    if len(secret) > 2:
        _known.add(secret)


def known_secrets() -> list[str]:
    """Return the values that are hidden, the longest first."""
    return sorted(_known, key=lambda one: (-len(one), one))


def redact(text: str) -> str:
    """Return a text without secrets."""
    for secret in known_secrets():
        text = text.replace(secret, _HIDDEN)
    text = _PASSWORD.sub(rf"\1:{_HIDDEN}@", text)
    return _OPTION.sub(rf"\1={_HIDDEN}", text)
