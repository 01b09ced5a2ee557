"""A plain ``POST`` whose body is a template: for receivers that want a form of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time

from standardwebhooks import Webhook

from ..http import Http
from ..records import Delivery, Refused, Result, Sender
from ..templates import TemplateFailed, render
from ..variables import Environment, Options, headers_of, url_of
from ..verdict import verdict
from .signatures import signed, signers_of

PLAIN = "text/plain; charset=utf-8"


class PostSender:
    """Posts what a template makes of a delivery."""

    def __init__(
        self,
        url: str,
        template: str,
        content_type: str,
        signers: Sequence[Webhook],
        headers: Mapping[str, str],
    ) -> None:
        self._url, self._template, self._type = url, template, content_type
        self._signers, self._headers = signers, headers

    def send(self, delivery: Delivery, http: Http) -> Result:
        try:
            body = render(self._template, delivery).encode()
        except TemplateFailed as error:
            return Refused(str(error))
        headers = {
            **self._headers,
            "Content-Type": self._type,
            **signed(self._signers, delivery.id, body, int(time())),
        }
        return verdict(http.request("POST", self._url, body, headers))


def make(options: Options, environment: Environment) -> Sender:
    """The sender of an alert. Raises Misconfigured."""
    return PostSender(
        url_of(options, environment),
        options["template"],
        options.get("content_type", PLAIN),
        signers_of(options, environment),
        headers_of(options, environment),
    )
