"""The forms of alerts, each against a program that answers as the real one is documented to."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from email import message_from_string, policy
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from pequel_collector.delivery.forms import SENDERS
from pequel_collector.delivery.forms.email import server_of
from pequel_collector.delivery.forms.signatures import signed, signers_of
from pequel_collector.delivery.forms.slack import message
from pequel_collector.delivery.http import Answer, Http
from pequel_collector.delivery.records import (
    Delivery,
    Misconfigured,
    Refused,
    Result,
    Retry,
    Sent,
)
from pequel_collector.delivery.templates import LONGEST, TemplateFailed, render
from pequel_collector.delivery.verdict import MAX_AFTER, retry_after, verdict
from pequel_collector.delivery.wording import HEADLINES, bars, headline
from pequel_collector.rules.language.alerts import EVENTS
from pequel_collector.rules.parser.handoff.alerts import FORMS
from pequel_collector.web.openapi.examples import LEAD
from support.receivers import MailServer, Receiver, Reply, Slack, _slack_problem

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_" + base64.b64encode(b"an older secret of 24 by").decode()
HTTP = Http(allow_private=True, deadline=5)
LONG = "{% set a = 'ab cd ef' %}" + "{% set a = a ~ a %}" * 15
"""A text of 262,144 characters; to make titles of it takes 17 ms."""
DELIVERY = Delivery(
    id="msg_1_abc",
    alert="sales",
    type="lead.qualified",
    at=1_772_366_400_412,
    lead=LEAD,
    change={"number": 1, "what": "opened", "at": "…", "reason": "a <good> reason", "actor": None},
    link="https://pequel.example.com/leads/1",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


def send(
    form: str,
    options: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    delivery: Delivery = DELIVERY,
) -> Result:
    return SENDERS[form](options, environment or {}).send(delivery, HTTP)


def test_every_form_of_the_language_can_be_sent() -> None:
    assert SENDERS.keys() == FORMS.keys()


class TestWebhooks:
    def test_it_is_signed_by_every_secret_and_has_the_whole_lead(self, receiver: Receiver) -> None:
        options = {"url": receiver.url + "/hook", "secret_env": ("NEW", "OLD")}
        result = send("webhook", options, {"NEW": SECRET, "OLD": OLD})
        assert result == Sent("200 OK")
        [taken] = receiver.taken
        for secret in (SECRET, OLD):
            assert Webhook(secret).verify(taken.body, dict(taken.headers)) == taken.json
        other = "whsec_" + base64.b64encode(b"0" * 24).decode()
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(taken.body, dict(taken.headers))
        assert taken.id == "msg_1_abc"
        assert taken.json == {
            "type": "lead.qualified",
            "timestamp": "2026-03-01T12:00:00.412Z",
            "data": {
                "lead": LEAD,
                "route": None,
                "change": DELIVERY.change,
                "link": DELIVERY.link,
            },
        }

    def test_without_a_secret_it_has_an_id_and_no_signature(self, receiver: Receiver) -> None:
        send("webhook", {"url": receiver.url})
        assert receiver.taken[0].id == "msg_1_abc"
        assert "webhook-signature" not in receiver.taken[0].headers

    def test_url_and_headers_may_be_in_variables(self, receiver: Receiver) -> None:
        options = {"url_env": "WHERE", "headers_env": {"Authorization": "TOKEN"}}
        send("webhook", options, {"WHERE": receiver.url, "TOKEN": "Bearer x"})
        assert receiver.taken[0].headers["authorization"] == "Bearer x"

    def test_a_test_says_so(self, receiver: Receiver) -> None:
        send("webhook", {"url": receiver.url}, delivery=replace(DELIVERY, is_test=True))
        assert receiver.taken[0].json["data"]["test"] is True

    @pytest.mark.parametrize(
        ("environment", "message"),
        [
            ({}, "the environment variable SECRET is not set"),
            ({"SECRET": "  "}, "the environment variable SECRET is not set"),
            ({"SECRET": "whsec_short"}, "at least 16 bytes"),
            ({"SECRET": "plain-secret-without-prefix"}, "something else than whsec_"),
            ({"SECRET": "whsec_!!!"}, "SECRET holds something else"),
            ({"SECRET": SECRET, "TOKEN": "a\nb"}, "the header X is not printable"),
        ],
    )
    def test_a_variable_that_is_missing_or_wrong_is_named_and_not_shown(
        self, environment: dict[str, str], message: str
    ) -> None:
        options = {
            "url": "https://example.com",
            "secret_env": ("SECRET",),
            "headers_env": {"X": "TOKEN"},
        }
        with pytest.raises(Misconfigured, match=message) as raised:
            SENDERS["webhook"](options, {"TOKEN": "t", **environment})
        assert not any(v.strip() and v in str(raised.value) for v in environment.values())

    @given(st.binary(min_size=16, max_size=64), st.text(), st.integers(0, 2**33))
    def test_any_secret_signs_as_the_library_does(self, key: bytes, body: str, now: int) -> None:
        secret = "whsec_" + base64.b64encode(key).decode().rstrip("=")
        raw = body.encode("utf-8", "replace")
        [signer] = signers_of({"secret_env": ("S",)}, {"S": secret})
        headers = signed([signer, signer], "msg_1", raw, now)
        assert len(set(headers["webhook-signature"].split(" "))) == 1


class TestVerdicts:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_two_hundred_is_taken(self, status: int) -> None:
        assert isinstance(verdict(Answer(status)), Sent)

    @pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 418, 422])
    def test_others_are_tried_again(self, status: int) -> None:
        result = verdict(Answer(status, "Why", body=b"because\n\x1b of this"))
        assert isinstance(result, Retry)
        assert result.reason == f"{status} Why: because  of this"
        assert not result.is_endpoint

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_a_busy_endpoint_is_told_from_a_bad_delivery(self, status: int) -> None:
        result = verdict(Answer(status, headers={"retry-after": "7"}))
        assert result == Retry(str(status), 7.0, is_endpoint=True)

    def test_gone_is_for_good(self) -> None:
        assert verdict(Answer(410, "Gone")) == Refused("410 Gone")

    @pytest.mark.parametrize(
        ("stated", "seconds"),
        [
            ("0", 0.0),
            (" 120 ", 120.0),
            ("99999999999999999999", MAX_AFTER),
            ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
            ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_AFTER),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("²", None),
            ("", None),
        ],
    )
    def test_retry_after(self, stated: str, seconds: float | None) -> None:
        now = 1_772_366_400.0
        assert retry_after(Answer(429, headers={"retry-after": stated}), now) == seconds

    @given(st.text())
    def test_no_retry_after_breaks_it(self, stated: str) -> None:
        found = retry_after(Answer(429, headers={"retry-after": stated}), 0.0)
        assert found is None or 0 <= found <= MAX_AFTER


class TestSlack:
    OPTIONS: ClassVar = {"url_env": "SLACK"}

    def environment(self, receiver: Receiver) -> dict[str, str]:
        return {"SLACK": f"{receiver.url}/services/T000/B000/XXXX"}

    def test_slack_takes_the_message_with_its_sentence_bars_people_and_button(
        self, receiver: Receiver
    ) -> None:
        receiver.behaviour = slack = Slack()
        assert send("slack", self.OPTIONS, self.environment(receiver)) == Sent("200 OK")
        [taken] = slack.messages
        text = json.dumps(taken, ensure_ascii=False)
        assert taken["blocks"][0]["text"]["text"].startswith("ada@acme.example")
        for part in (
            LEAD["evidence"]["sentence"], "`██████████ 3 of 3`", "ada@acme.example",
            "a &lt;good&gt; reason", "https://pequel.example.com/leads/1",
        ):  # fmt: skip
            assert part in text

    @pytest.mark.parametrize(
        ("slack", "expected"),
        [
            (Slack(archived=True), Refused("410 Gone: channel_is_archived")),
            (
                Slack(limited=1),
                Retry("429 Too Many Requests: rate_limited", 30.0, is_endpoint=True),
            ),
            (
                lambda _: Reply(500, body=b"rollup_error"),
                Retry("500 Internal Server Error: rollup_error", is_endpoint=True),
            ),
            (
                lambda _: Reply(400, body=b"invalid_payload"),
                Refused("400 Bad Request: invalid_payload"),
            ),
            (
                lambda _: Reply(403, body=b"action_prohibited"),
                Refused("403 Forbidden: action_prohibited"),
            ),
        ],
    )
    def test_its_errors(self, receiver: Receiver, slack: Any, expected: Result) -> None:
        receiver.behaviour = slack
        assert send("slack", self.OPTIONS, self.environment(receiver)) == expected

    def test_a_webhook_that_was_removed(self, receiver: Receiver) -> None:
        receiver.behaviour = Slack()
        result = send("slack", {"url": f"{receiver.url}/services/other"})
        assert result == Refused("404 Not Found: no_service")

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )

    @given(
        st.text(max_size=5_000),
        st.lists(st.tuples(st.text(max_size=400), json_values, json_values), max_size=15),
        st.dictionaries(st.sampled_from(["email", "name", "country", "plan"]), json_values),
        st.sampled_from(sorted(EVENTS)),
    )
    def test_slack_takes_whatever_a_lead_holds(
        self, sentence: str, leaves: list[Any], traits: dict[str, Any], event: str
    ) -> None:
        lead = LEAD | {
            "traits": traits,
            "evidence": {
                "sentence": sentence,
                "leaves": [{"measure": m, "observed": o, "needed": n} for m, o, n in leaves],
            },
        }
        found = message(replace(DELIVERY, lead=lead, type=f"lead.{event}"))
        assert _slack_problem(found) is None

    def test_it_holds_no_mention_and_no_link_of_others(self) -> None:
        lead = LEAD | {"traits": {"email": "<!channel> <https://evil.example|click> @here & co"}}
        text = json.dumps(message(replace(DELIVERY, lead=lead))["blocks"][2:])
        assert "<!channel>" not in text
        assert "&lt;!channel&gt;" in text


class TestMail:
    @pytest.fixture
    def server(self) -> Iterator[MailServer]:
        with MailServer().running() as running:
            yield running

    def environment(self, server: MailServer) -> dict[str, str]:
        url = f"smtp://127.0.0.1:{server.port}?tls=no"
        return {"PEQUEL_SMTP_URL": url, "PEQUEL_SMTP_FROM": "pequel@example.com"}

    def test_a_mail_has_the_sentence_and_is_the_same_on_each_attempt(
        self, server: MailServer
    ) -> None:
        options = {"to": ("a@example.com", "b@example.com")}
        for _ in range(2):
            result = send("email", options, self.environment(server))
            assert result == Sent("the mail server took it for a@example.com, b@example.com")
        [(sender, recipients, text), second] = server.mails
        assert (sender, recipients) == ("pequel@example.com", ["a@example.com", "b@example.com"])
        assert text == second[2]
        mail = message_from_string(text, policy=policy.default)
        assert mail["Message-ID"] == "<msg_1_abc@example.com>"
        assert mail["Subject"] == headline(DELIVERY)
        assert mail["To"] == "a@example.com, b@example.com"
        content = mail.get_content()  # type: ignore[attr-defined]
        for part in (
            LEAD["evidence"]["sentence"],
            "3 of 3",
            "Reason: a <good> reason",
            DELIVERY.link,
        ):
            assert part in content

    def test_subject_and_text_may_be_templates_and_no_header_can_be_smuggled_in(
        self, server: MailServer
    ) -> None:
        lead = LEAD | {"title": "hello\r\nBcc: evil@example.com\r\n\r\nbody"}
        options = {
            "to": ("a@example.com",),
            "from": "other@example.com",
            "subject": "New: {{ lead.title }}",
            "template": "{{ lead.title }}\n.\nend\n",
        }
        result = send("email", options, self.environment(server), replace(DELIVERY, lead=lead))
        assert isinstance(result, Sent)
        [(sender, recipients, text)] = server.mails
        assert (sender, recipients) == ("other@example.com", ["a@example.com"])
        mail = message_from_string(text, policy=policy.default)
        assert mail["Subject"] == "New: hello Bcc: evil@example.com body"
        assert mail["Bcc"] is None
        content = mail.get_content()  # type: ignore[attr-defined]
        assert content.splitlines()[-2:] == [".", "end"]

    @pytest.mark.parametrize(
        ("answers", "kind"),
        [
            ({"RCPT": "550 no such user"}, Refused),
            ({"RCPT": "450 try later"}, Retry),
            ({"MAIL": "451 busy"}, Retry),
            ({"MAIL": "553 not from you"}, Refused),
            ({".": "554 spam"}, Refused),
            ({".": "452 full"}, Retry),
            ({"RCPT:a@example.com": "550 no"}, Sent),
        ],
    )
    def test_its_errors(
        self, server: MailServer, answers: dict[str, str], kind: type[Result]
    ) -> None:
        server.answers = answers
        to = ("a@example.com", "b@example.com") if kind is Sent else ("a@example.com",)
        assert isinstance(send("email", {"to": to}, self.environment(server)), kind)

    def test_a_server_that_refuses_encryption_gets_no_mail_and_no_password(
        self, server: MailServer
    ) -> None:
        environment = self.environment(server)
        environment["PEQUEL_SMTP_URL"] = f"smtp://user:secret@127.0.0.1:{server.port}"
        result = send("email", {"to": ("a@example.com",)}, environment)
        assert isinstance(result, Retry)
        assert "STARTTLS" in result.reason
        assert server.mails == []

    def test_nobody_listens(self, server: MailServer) -> None:
        environment = self.environment(server) | {"PEQUEL_SMTP_URL": "smtp://127.0.0.1:1?tls=no"}
        result = send("email", {"to": ("a@example.com",)}, environment)
        assert isinstance(result, Retry)
        assert result.is_endpoint

    def test_the_server_in_a_url(self) -> None:
        assert server_of("X", "smtps://me%40b.c:p%3A@h") == ("h", 465, "me@b.c", "p:", True, False)
        assert server_of("X", "smtp://h") == ("h", 587, None, "", False, True)
        assert server_of("X", "smtp://h:25?tls=no") == ("h", 25, None, "", False, False)

    @pytest.mark.parametrize("url", ["h:25", "http://h", "smtp://:25", "smtp://h:x", "smtp://[h"])
    def test_a_bad_url_is_named_by_its_variable_only(self, url: str) -> None:
        with pytest.raises(Misconfigured, match="variable MAIL is") as raised:
            server_of("MAIL", url)
        assert url not in str(raised.value)


class TestPosts:
    def test_the_body_is_what_the_template_makes(self, receiver: Receiver) -> None:
        options = {
            "url": receiver.url,
            "template": '{"text": {{ (lead.traits.email ~ "\\n" ~ type) | tojson }}}',
            "content_type": "application/json",
            "secret_env": ("S",),
        }
        assert isinstance(send("post", options, {"S": SECRET}), Sent)
        [taken] = receiver.taken
        assert taken.json == {"text": "ada@acme.example\nlead.qualified"}
        assert taken.headers["content-type"] == "application/json"
        Webhook(SECRET).verify(taken.body, dict(taken.headers))

    def test_what_a_lead_does_not_have_is_blank(self) -> None:
        assert render("<{{ lead.traits.nope.deeper }}{{ route.name }}>", DELIVERY) == "<>"

    @pytest.mark.parametrize(
        "template",
        [
            "{% set x = lead.update({'a': 1}) %}",
            "{{ 1 / 0 }}",
            "{{ lead | nosuchfilter }}",
            "{% for i in range(99999) %}xxxxxxxxxx{% endfor %}",
            "{% for i in range(999999999) %}{% endfor %}",
            "{{ '%1000000000d' % 1 }}",
            "{{ 'a' * 300000000 }}",
            "{{ 9 ** 999999999 }}",
            "{{ '{:1000000000d}'.format(1) }}",
            "{{ 'a'.ljust(1000000000) }}",
            "{{ 'a' | center(1000000000) }}",
            "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
            "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
            (
                "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
                "{{ f(40) }}"
            ),
            "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 30,
            "{% set a = [1, 2] %}" + "{% set a = [a, a] %}" * 30 + "{{ a }}",
            "{% set a = [1, 2] %}" + "{% set a = [a, a] %}" * 30 + "{{ a | tojson }}",
            "{% set a = 'aaaaaaaa' %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 30,
            LONG + "{% for i in range(999) %}{% set b = a | title %}{% endfor %}",
            LONG + "{% for i in range(999) %}{% set b = a.title() %}{% endfor %}",
            "{{ [] | first | nosuch }}",
            "{% include 'x' %}",
            "{{ lead.items().nope() }}",
        ],
    )
    def test_a_template_that_cannot_be_filled_in_is_refused(
        self, receiver: Receiver, template: str
    ) -> None:
        with pytest.raises(TemplateFailed):
            render(template, DELIVERY)
        result = send("post", {"url": receiver.url, "template": template})
        assert isinstance(result, Refused)
        assert receiver.taken == []

    def test_a_template_loops_joins_and_counts(self) -> None:
        text = (
            "{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i * 2 %}"
            "{{ loop.index ~ '/' ~ loop.length }}{{ ', ' if not loop.last }}{% endfor %} "
            "{{ ns.n }} "
            "{{ ['a', 'b'] | join('+') }} {{ {'a': 1} | tojson }} {{ 'x'.upper() }}"
        )
        assert render(text, DELIVERY) == '1/3, 2/3, 3/3 6 a+b {"a": 1} X'

    @pytest.mark.parametrize(
        "template", ["{{ ''.__class__.__mro__ }}", "{{ lead.__init__.__globals__ }}"]
    )
    def test_a_template_does_not_reach_the_insides_of_python(self, template: str) -> None:
        assert render(template, DELIVERY) == ""

    def test_the_limit_of_what_it_makes(self) -> None:
        assert LONGEST == 262_144


def test_every_change_has_a_headline() -> None:
    assert HEADLINES.keys() == EVENTS.keys()
    for event in EVENTS:
        said = headline(replace(DELIVERY, type=f"lead.{event}"))
        assert "ada@acme.example" in said
        assert "{" not in said


@pytest.mark.parametrize(
    ("observed", "holds", "said"),
    [
        (1, False, "1 of 3"),
        (3, True, "3 of 3"),
        (5, True, "5 (3 needed)"),
        (5, False, "5 (3 allowed)"),
    ],
)
def test_more_than_was_needed_stands_beside_it(observed: int, holds: bool, said: str) -> None:
    leaf = {"measure": "used", "observed": observed, "needed": 3, "holds": holds}
    [(_, bar)] = bars({"evidence": {"leaves": [leaf]}})
    assert bar.endswith(f" {said}")
