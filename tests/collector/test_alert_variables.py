"""Which environment variables alerts may send: whoever changes definitions must not choose freely.

Those people choose the URL too, so a variable that an alert may send is one that they may read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import SETTINGS, Settings
from pequel_collector.delivery.forms import SENDERS
from pequel_collector.delivery.records import Misconfigured
from pequel_collector.delivery.variables import check_variables
from pequel_collector.errors import DefinitionError
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.described import client_of
from support.receivers import Receiver

START = '[[alert]]\nname = "a"\non = ["won"]\n'
URL = 'url = "https://example.com/hook"\n'
STAGES = 'stages = { new = "appointmentscheduled" }\n'
SALESFORCE = f'form = "salesforce"\n{URL}'
APP = 'client_secret_env = "PEQUEL_A"\nclient_id_env = "PEQUEL_B"\n'
SENT = [
    (f'{URL}headers_env = {{ Authorization = "%s" }}\n', (5, 33)),
    ('url_env = "%s"\n', (4, 11)),
    ('form = "slack"\nurl_env = "%s"\n', (5, 11)),
    (f'form = "hubspot"\n{STAGES}token_env = "%s"\n', (6, 13)),
    (f'{SALESFORCE}client_id_env = "PEQUEL_ID"\nclient_secret_env = "%s"\n', (7, 21)),
    (f'{SALESFORCE}client_secret_env = "PEQUEL_ID"\nclient_id_env = "%s"\n', (7, 17)),
    (f'{SALESFORCE}{APP}refresh_token_env = "%s"\n', (8, 21)),
]
REFUSED = ("AWS_SECRET_ACCESS_KEY", "PEQUEL_ADMIN_KEY", "PEQUEL_DATABASE", "PEQUEL_SMTP_URL")


@pytest.mark.parametrize("name", ["PEQUEL_TOKEN", "PEQUEL_X", "TOKEN", "OTHER"])
def test_names_that_begin_with_pequel_and_those_that_are_listed_may_be_sent(name: str) -> None:
    assert Settings(alert_env="TOKEN, OTHER").is_for_alerts(name)


@pytest.mark.parametrize(
    "name", [*REFUSED, "pequel_token", "TOKEN", *(s.variable for s in SETTINGS)]
)
def test_settings_and_foreign_names_may_not(name: str) -> None:
    assert not Settings(alert_env="OTHER,").is_for_alerts(name)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(("keys", "place"), SENT)
def test_a_file_that_names_another_variable_is_refused_at_its_place(
    keys: str, place: tuple[int, int], name: str
) -> None:
    read_catalogue(START + keys % "PEQUEL_TOKEN", "f", Settings().is_for_alerts)
    read_catalogue(START + keys % name, "f", Settings(alert_env=name).is_for_alerts)
    with pytest.raises(DefinitionError) as raised:
        read_catalogue(START + keys % name, "f", Settings().is_for_alerts)
    [found] = raised.value.problems
    assert (found.line, found.column) == place
    assert "--alert-env lists it" in found.expected
    assert name not in str(found)  # it may be a secret that was written in place of its variable


def test_a_secret_that_only_signs_may_have_any_name() -> None:
    text = f'{START}{URL}secret_env = ["ALERT_SECRET", "OLD"]\n[crm.hubspot]\nsecret_env = "HUB"\n'
    assert read_catalogue(text, "f", Settings().is_for_alerts).crms["hubspot"].secret_env == (
        "HUB",
    )


def test_every_form_is_checked_before_it_is_sent() -> None:
    """Also a form that comes later: a key whose name ends in ``_env`` is sent."""
    assert {"webhook", "post", "slack", "email", "hubspot", "salesforce"} == set(SENDERS)
    for keys, _ in SENT:
        [alert] = read_catalogue(START + keys % "AWS_SECRET").alerts
        with pytest.raises(Misconfigured, match="may not send the environment variable AWS_SECRET"):
            check_variables(alert.options, Settings().is_for_alerts)


class TestTheCollector:
    text = f'{START}headers_env = {{ X = "AWS_SECRET" }}\n{URL}'

    def test_it_does_not_start_with_such_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "pequel.toml").write_text(self.text)
        settings = Settings(database="sqlite://", config=str(tmp_path / "pequel.toml"))
        with pytest.raises(DefinitionError, match=r"pequel\.toml:4:21"):
            open_collector(settings)

    @pytest.mark.parametrize("path", ["definitions", "definitions/lint", "definitions/preview"])
    def test_it_takes_no_such_definitions_over_http(self, path: str) -> None:
        collector = open_collector(Settings(database="sqlite://", admin_key="admin-key"), None)
        client = client_of(create_app(collector))
        headers = {"Authorization": "Bearer admin-key", "Content-Type": "application/toml"}
        method = client.put if path == "definitions" else client.post
        answer = method(f"/v1/{path}", data=self.text, headers=headers)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_definition")
        assert "headers_env" in answer.text
        collector.close()

    def test_definitions_that_are_in_force_already_send_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The collector was set up anew, and its database has definitions of before."""
        monkeypatch.setenv("AWS_SECRET", "very secret")
        with Receiver().running() as receiver:
            text = self.text.replace("https://example.com/hook", receiver.url)
            collector = open_collector(
                Settings(database="sqlite://", allow_private_alerts=1), read_catalogue(text)
            )
            [answer] = collector.alerts.listed()
            assert "may not send the environment variable AWS_SECRET" in str(answer.problem)
            assert receiver.connections == 0
            collector.close()
