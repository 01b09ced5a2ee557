"""The settings are one list, and are checked where they are given."""

import pytest
import requests

import pequel
from pequel.config import SETTINGS, checked, from_environment


def test_every_setting_has_help_and_a_default_of_its_own_type():
    """The list is complete by itself."""
    for setting in SETTINGS:
        assert setting.help.endswith(".")
        assert type(setting.default) is setting.kind


def test_the_defaults_are_valid():
    """Giving every default gives the defaults."""
    assert checked({setting.name: setting.default for setting in SETTINGS}) == pequel.Options()


def test_every_setting_can_come_from_the_environment():
    """Under its own name; empty variables do not count."""
    environ = {setting.variable: str(setting.default) for setting in SETTINGS}
    assert checked(from_environment(environ)) == pequel.Options()
    assert from_environment({"PEQUEL_TIMEOUT": "", "PEQUEL_OTHER": "x"}) == {}


@pytest.mark.parametrize("name", ["timeout", "max_retries", "host", "write_key", "gzip"])
def test_a_wrong_variable_is_named(name):
    """What the environment gives is called as it is there."""
    variable = f"PEQUEL_{name.upper()}"
    with pytest.raises(pequel.ConfigError, match=f"^{variable} "):
        from_environment({variable: "…"})


def test_a_wrong_variable_of_another_setting_is_not_looked_at():
    assert from_environment({"PEQUEL_TIMEOUT": "soon"}, {"host"}) == {}


@pytest.mark.parametrize("key", ["pk_w_…", "two\nlines", "half \ud800"])
def test_a_key_that_cannot_be_one_is_found_and_not_repeated(key):
    """Such as the placeholder of an example."""
    with pytest.raises(pequel.ConfigError, match=r"^write_key holds ") as caught:
        pequel.Client(key)
    assert key not in str(caught.value)


class Sessionlike(requests.Session):
    pass


@pytest.mark.parametrize(
    "part",
    [
        {"on_error": 3},
        {"on_qualified": "print"},
        {"new_id": "id"},
        {"jitter": 0.5},
        {"transport": object()},
        {"session": "x"},
        {"proxies": "x"},
        {"proxies": {"https": 3128}},
    ],
    ids=lambda part: next(iter(part)),
)
def test_a_part_that_cannot_be_one_is_named(part):
    """When it is given, not when it is first needed."""
    (name,) = part
    with pytest.raises(pequel.ConfigError, match=f"^{name} must be "):
        pequel.Client("key", **part)


@pytest.mark.parametrize(
    "part",
    [
        {"session": requests.Session},
        {"session": Sessionlike()},
        {"session": lambda: None},
        {"proxies": {"https": "http://proxy:3128", "http": None}},
        {"proxies": {}},
    ],
    ids=lambda part: next(iter(part)),
)
def test_a_part_that_may_be_one_is_taken(part):
    assert pequel.Client("key", **part).shutdown()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("gzip", "Yes", True),
        ("gzip", "0", False),
        ("gzip", False, False),
        ("timeout", 3, 3.0),
        ("timeout", "2.5", 2.5),
        ("batch_events", "20", 20),
        ("batch_events", 20.0, 20),
        ("host", " https://c.test/base/ ", "https://c.test/base"),
        ("host", "http://[::1]:8321", "http://[::1]:8321"),
        ("host", "http://bücher.test", "http://bücher.test"),
        ("timeout", 86_400, 86_400.0),
        ("flush_interval", float("inf"), float("inf")),
    ],
)
def test_a_value_is_read_in_the_settings_type(name, given, expected):
    """Text is read, numbers are converted."""
    assert getattr(checked({name: given}), name) == expected


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("gzip", "perhaps"),
        ("timeout", "soon"),
        ("timeout", 0),
        ("timeout", float("nan")),
        ("timeout", True),
        ("timeout", None),
        ("batch_events", 0),
        ("batch_events", 1.5),
        ("batch_events", float("inf")),
        ("max_retries", -1),
        ("write_key", 5),
        ("host", "localhost:8321"),
        ("host", "ftp://c.test"),
        ("host", "http://"),
        ("host", "http://[::1"),
        ("host", "http://h\u2100x"),
        ("host", "http://:8321"),
        ("host", "http://h:99999"),
        ("host", "http://h:0"),
        ("host", "http://h:notaport"),
        ("host", "http://a b"),
        ("host", "http://a\nb"),
        ("host", "http://h:1/?x"),
        ("host", "http://h:1/#x"),
        ("timeout", float("inf")),
        ("timeout", 86_401),
        ("hots", "http://c.test"),
    ],
)
def test_a_wrong_value_is_named(name, given):
    """With the setting, and what it was given."""
    with pytest.raises(pequel.ConfigError, match=name):
        checked({name: given})


def test_a_spool_stays_the_same_folder_wherever_the_process_goes(tmp_path, monkeypatch):
    """A path of either kind, relative or from home, is made absolute when it is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = ["spool", "~/spool", tmp_path / "spool"]
    assert [checked({"spool": path}).spool for path in paths] == [str(tmp_path / "spool")] * 3
    assert checked({}).spool == checked({"spool": " "}).spool == ""


@pytest.mark.parametrize("path", ["a\0b", 5, "~nobody-of-this-name/spool"])
def test_a_spool_that_is_no_path_is_named(path):
    with pytest.raises(pequel.ConfigError, match="spool"):
        checked({"spool": path})


def test_a_spool_relative_to_a_folder_that_is_gone_is_named(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(pequel.ConfigError, match=r"^PEQUEL_SPOOL "):
        from_environment({"PEQUEL_SPOOL": "spool"})
