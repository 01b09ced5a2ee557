"""Why a server cannot be reached, in few words. Errors of `requests` hide it in their causes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from requests import RequestException


def describe(host: str, error: RequestException) -> str:
    """Such as "cannot reach 127.0.0.1:8321: connection refused"."""
    address = urlsplit(host).netloc.rpartition("@")[2]
    return f"cannot reach {address}: {_reason(error)}"


def _reason(error: RequestException) -> str:
    import requests

    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.ReadTimeout):
        return "no answer in time"
    cause = _innermost(error)
    text: str = getattr(cause, "strerror", None) or str(cause)
    return text[:1].lower() + text[1:] if text else type(cause).__name__


def _innermost(error: BaseException) -> BaseException:
    while True:
        candidates = (error.__cause__, getattr(error, "reason", None), *error.args)
        inner = next((one for one in candidates if isinstance(one, BaseException)), None)
        if inner is None:
            return error
        error = inner
