"""Each format: what its keys become, and that the log of another product is not taken for it."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pequel_collector.errors import BadRequest
from pequel_collector.importing.format import Options, Snapshots
from pequel_collector.importing.formats import NAMES, check, format_of
from pequel_collector.importing.line import BadLine, Line
from pequel_collector.importing.mapping import read_map

TIME = "2026-03-01T10:00:00.000Z"
SECONDS = 1_772_359_200
Plain = dict[str, Any]

MIXPANEL = {
    "event": "Signed up",
    "properties": {"time": SECONDS, "distinct_id": "u1", "$insert_id": "i1", "company": "acme"},
}
POSTHOG = {
    "uuid": "p1",
    "event": "signed_up",
    "distinct_id": "u1",
    "timestamp": TIME,
    "properties": {"plan": "free", "$groups": {"company": "acme"}},
}
AMPLITUDE = {
    "event_type": "Signed up",
    "user_id": "u1",
    "device_id": "d1",
    "event_time": "2026-03-01 10:00:00.000000",
    "$insert_id": "a1",
    "event_properties": {"method": "google"},
    "user_properties": {},
    "groups": {"company": ["acme"]},
}
GA4 = {
    "event_name": "sign_up",
    "event_timestamp": "1772359200000000",
    "user_id": "u1",
    "user_pseudo_id": "12.34",
    "event_params": [
        {"key": "method", "value": {"string_value": "google", "int_value": None}},
        {"key": "seats", "value": {"int_value": "5"}},
        {"key": "price", "value": {"double_value": 9.5}},
    ],
    "user_properties": [{"key": "plan", "value": {"string_value": "free"}}],
}
ROW = {
    "id": "s1",
    "user_id": "u1",
    "event": "project_created",
    "event_text": "Project Created",
    "timestamp": "2026-03-01 10:00:00 UTC",
    "context_group_id": "acme",
    "context_ip": "1.2.3.4",
    "project_id": "p9",
    "received_at": TIME,
}
COMMON = {"event_id": "e1", "user_id": "u1", "event": "used", "timestamp": TIME}
SAMPLES = {
    "pequel": COMMON,
    "mixpanel": MIXPANEL,
    "posthog": POSTHOG,
    "amplitude": AMPLITUDE,
    "ga4": GA4,
}


def events(name: str, record: Plain, **options: Any) -> list[Plain]:
    return format_of(name, Options(**options)).events(record)


def event(name: str, record: Plain, **options: Any) -> Plain:
    [found] = events(name, record, **options)
    return found


def lines(*records: Plain) -> list[Line]:
    return [Line(i, json.dumps(record).encode()) for i, record in enumerate(records, 1)]


class TestTheDefault:
    @pytest.mark.parametrize(
        "key", ["event_id", "message_id", "uuid", "insert_id", "$insert_id", "id"]
    )
    def test_takes_every_usual_id_as_that_of_the_message(self, key: str) -> None:
        record = {"user_id": "u1", "event": "used", "timestamp": TIME, key: "x1"}
        assert event("pequel", record)["messageId"] == "x1"

    @pytest.mark.parametrize("number", [7, "7"])
    def test_does_not_take_the_number_of_a_row_for_an_id(self, number: Any) -> None:
        assert "messageId" not in event("pequel", {"user_id": "u", "event": "e", "id": number})

    @pytest.mark.parametrize("time", [SECONDS, SECONDS * 1000, float(SECONDS)])
    def test_reads_seconds_and_milliseconds(self, time: float) -> None:
        assert event("pequel", COMMON | {"timestamp": time})["timestamp"] == TIME

    def test_reads_objects_in_cells_of_csv(self) -> None:
        assert event("pequel", COMMON | {"properties": '{"a": 1}'})["properties"] == {"a": 1}

    @pytest.mark.parametrize("time", [-1, 10**30, float("inf")])
    def test_refuses_a_time_that_is_none(self, time: float) -> None:
        with pytest.raises(BadLine, match="expected a time from 1970 on"):
            event("pequel", COMMON | {"timestamp": time})


class TestSegmentAndRudderStack:
    @pytest.mark.parametrize("name", ["segment", "rudderstack"])
    def test_a_message_of_an_archive_is_itself(self, name: str) -> None:
        message = {"type": "page", "messageId": "m", "anonymousId": "v", "name": "Home"}
        assert event(name, message | {"originalTimestamp": TIME, "sentAt": TIME}) == message | {
            "originalTimestamp": TIME
        }

    def test_a_row_of_a_table_is_a_call_with_columns_as_properties(self) -> None:
        assert event("segment", ROW) == {
            "type": "track",
            "event": "Project Created",
            "messageId": "s1",
            "userId": "u1",
            "groupId": "acme",
            "timestamp": "2026-03-01 10:00:00Z",
            "properties": {"project_id": "p9"},
        }

    def test_a_row_of_identifies_has_traits(self) -> None:
        row = {"id": "s2", "user_id": "u1", "timestamp": TIME, "plan": "free", "name": "Ada"}
        found = event("rudderstack", row, table="identify")
        assert (found["type"], found["traits"]) == ("identify", {"plan": "free", "name": "Ada"})

    def test_a_row_of_groups_is_a_group_call(self) -> None:
        row = {"id": "s3", "user_id": "u1", "group_id": "acme", "timestamp": TIME, "size": 5}
        found = event("segment", row)
        assert (found["type"], found["groupId"]) == ("group", "acme")
        assert found["traits"] == {"size": 5}

    def test_a_row_that_does_not_say_its_table_is_refused(self) -> None:
        with pytest.raises(BadLine, match="expected --table"):
            event("segment", {"id": "s4", "user_id": "u1", "timestamp": TIME})


class TestMixpanel:
    def test_an_event(self) -> None:
        assert event("mixpanel", MIXPANEL, group="company") == {
            "type": "track",
            "event": "Signed up",
            "messageId": "i1-8cdc9f480525",
            "timestamp": TIME,
            "userId": "u1",
            "groupId": "acme",
            "properties": {"company": "acme"},
        }

    @pytest.mark.parametrize(
        ("ids", "user", "visitor"),
        [
            ({"distinct_id": "$device:d1", "$device_id": "d1"}, None, "d1"),
            ({"distinct_id": "d1", "$device_id": "d1"}, None, "d1"),
            ({"distinct_id": "u1", "$device_id": "d1"}, "u1", "d1"),
            ({"distinct_id": "x", "$device_id": "d1", "$user_id": "u1"}, "u1", "d1"),
            ({"distinct_id": "u1"}, "u1", None),
        ],
    )
    def test_whose_an_event_is(self, ids: Plain, user: str | None, visitor: str | None) -> None:
        found = event("mixpanel", {"event": "x", "properties": ids})
        assert (found.get("userId"), found.get("anonymousId")) == (user, visitor)

    def test_times_are_of_the_projects_zone(self) -> None:
        found = event("mixpanel", MIXPANEL, zone=ZoneInfo("America/Los_Angeles"))
        assert found["timestamp"] == "2026-03-01T18:00:00.000Z"

    def test_who_is_who(self) -> None:
        ids = {"$identified_id": "u1", "$anon_id": "$device:d1", "distinct_id": "u1"}
        found = event("mixpanel", {"event": "$identify", "properties": ids})
        assert found == {"type": "identify", "userId": "u1", "anonymousId": "d1"}
        made = {"event": "$create_alias", "properties": {"distinct_id": "d1", "alias": "u1"}}
        assert event("mixpanel", made) == {"type": "alias", "userId": "u1", "previousId": "d1"}
        merged = {"event": "$merge", "properties": {"$distinct_ids": ["u1", "d2"]}}
        assert event("mixpanel", merged) == {"type": "alias", "userId": "u1", "previousId": "d2"}

    @pytest.mark.parametrize(
        ("ids", "user", "visitor"),
        [
            (["$device:d1", "ada"], "ada", "d1"),
            (["ada", "$device:d1"], "ada", "d1"),
            (["d1", "ada"], "ada", "d1"),
            (["known", "ada"], "known", "ada"),
            (["ada", "known"], "known", "ada"),
            (["ada", "u1"], "ada", "u1"),
        ],
    )
    def test_a_merge_never_makes_a_device_the_user(
        self, ids: list[str], user: str, visitor: str
    ) -> None:
        mixpanel = format_of("mixpanel", Options())
        seen = {"distinct_id": "known", "$device_id": "d1", "$user_id": "known"}
        mixpanel.events({"event": "x", "properties": seen})
        [found] = mixpanel.events({"event": "$merge", "properties": {"$distinct_ids": ids}})
        assert (found["userId"], found["previousId"]) == (user, visitor)

    def test_a_merge_of_two_devices_is_refused(self) -> None:
        merged = {"$distinct_ids": ["$device:d1", "$device:d2"]}
        with pytest.raises(BadLine, match="are of devices, expected a user"):
            event("mixpanel", {"event": "$merge", "properties": merged})

    @pytest.mark.parametrize(
        ("other", "is_same"),
        [
            ({"plan": "pro"}, True),
            ({"time": SECONDS + 1}, False),
            ({"distinct_id": "u2"}, False),
            ({"distinct_id": "u2", "$distinct_id_before_identity": "u1"}, True),
            ({"$insert_id": "i2"}, False),
        ],
    )
    def test_what_mixpanel_takes_for_one_event_has_one_id(
        self, other: Plain, is_same: bool
    ) -> None:
        properties = MIXPANEL["properties"]
        changed = event("mixpanel", MIXPANEL | {"properties": properties | other})
        assert (changed["messageId"] == event("mixpanel", MIXPANEL)["messageId"]) is is_same

    def test_two_events_may_have_one_insert_id(self) -> None:
        renamed = event("mixpanel", MIXPANEL | {"event": "Paid"})
        assert renamed["messageId"] != event("mixpanel", MIXPANEL)["messageId"]

    def test_a_view_of_a_page(self) -> None:
        view = MIXPANEL | {"event": "$mp_web_page_view"}
        assert event("mixpanel", view)["type"] == "page"


class TestPostHog:
    @pytest.mark.parametrize("as_text", [False, True])
    def test_an_event(self, as_text: bool) -> None:
        properties = json.dumps(POSTHOG["properties"]) if as_text else POSTHOG["properties"]
        assert event("posthog", POSTHOG | {"properties": properties}) == {
            "type": "track",
            "event": "signed_up",
            "messageId": "p1",
            "timestamp": TIME,
            "userId": "u1",
            "groupId": "acme",
            "properties": {"plan": "free"},
        }

    @pytest.mark.parametrize(
        ("properties", "user", "visitor"),
        [
            ({"$device_id": "u1"}, None, "u1"),
            ({"$is_identified": False}, None, "u1"),
            ({"$is_identified": True, "$device_id": "d1"}, "u1", "d1"),
            ({"$device_id": "d1"}, "u1", None),
            ({}, "u1", None),
            ({"$process_person_profile": False, "$device_id": "d1"}, None, "u1"),
            ({"$process_person_profile": False}, "u1", None),
            (
                {"$process_person_profile": False, "$device_id": "d1", "$is_identified": True},
                "u1",
                "d1",
            ),
            ({"$cookieless_mode": True}, None, "u1"),
        ],
    )
    def test_whose_an_event_is(self, properties: Plain, user: str, visitor: str) -> None:
        found = event("posthog", POSTHOG | {"properties": properties})
        assert (found.get("userId"), found.get("anonymousId")) == (user, visitor)

    @pytest.mark.parametrize(
        ("ids", "own"),
        [
            ({"uuid": "p1", "id": "p2"}, "p1"),
            ({"id": "p1"}, "p1"),
            ({"id": 7}, None),
            ({"id": "7"}, None),
        ],
    )
    def test_has_one_id_in_all_exports(self, ids: Plain, own: str | None) -> None:
        record = {name: value for name, value in POSTHOG.items() if name != "uuid"}
        assert event("posthog", record | ids).get("messageId") == own

    def test_identify_links_and_sets(self) -> None:
        properties = {"$anon_distinct_id": "d1", "$set": {"plan": "pro"}, "$set_once": {"a": 1}}
        found = event("posthog", POSTHOG | {"event": "$identify", "properties": properties})
        assert (found["type"], found["userId"], found["anonymousId"]) == ("identify", "u1", "d1")
        assert found["traits"] == {"a": 1, "plan": "pro"}

    def test_an_event_that_sets_traits_is_two_messages(self) -> None:
        track, identify = events("posthog", POSTHOG | {"properties": {"$set": {"plan": "pro"}}})
        assert (track["type"], identify["type"]) == ("track", "identify")
        assert identify["messageId"] == "p1:set"

    def test_groups_aliases_and_views(self) -> None:
        group = {"$group_type": "company", "$group_key": "acme", "$group_set": {"size": 5}}
        found = event("posthog", POSTHOG | {"event": "$groupidentify", "properties": group})
        assert (found["type"], found["groupId"]) == ("group", "acme")
        assert found["traits"] == {"size": 5}
        alias = POSTHOG | {"event": "$create_alias", "properties": {"alias": "old"}}
        assert event("posthog", alias)["previousId"] == "old"
        view = POSTHOG | {"event": "$pageview", "properties": {"title": "Home"}}
        assert (event("posthog", view)["type"], event("posthog", view)["name"]) == ("page", "Home")

    def test_several_types_of_group_need_a_choice(self) -> None:
        groups = {"$groups": {"company": "acme", "team": "t1"}}
        with pytest.raises(BadLine, match="found groups company, team: say with --group"):
            events("posthog", POSTHOG | {"properties": groups})
        assert event("posthog", POSTHOG | {"properties": groups}, group="team")["groupId"] == "t1"


class TestAmplitude:
    def test_an_event(self) -> None:
        assert event("amplitude", AMPLITUDE) == {
            "type": "track",
            "event": "Signed up",
            "messageId": "a1",
            "timestamp": "2026-03-01 10:00:00.000000",
            "userId": "u1",
            "anonymousId": "d1",
            "groupId": "acme",
            "properties": {"method": "google"},
        }

    def test_properties_of_a_user_are_traits_when_they_change(self) -> None:
        format_ = format_of("amplitude", Options())
        types = [
            [each["type"] for each in format_.events(AMPLITUDE | {"user_properties": traits})]
            for traits in ({"plan": "free"}, {"plan": "free"}, {"plan": "pro"}, {"plan": "free"})
        ]
        assert types == [["track", "identify"], ["track"]] + [["track", "identify"]] * 2

    def test_identify_and_properties_of_groups(self) -> None:
        record = AMPLITUDE | {"event_type": "$identify", "user_properties": {"plan": "pro"}}
        found = event("amplitude", record)
        assert (found["type"], found["messageId"], found["traits"]) == (
            "identify", "a1", {"plan": "pro"},
        )  # fmt: skip
        group = AMPLITUDE | {"group_properties": {"company": {"acme": {"size": 5}}}}
        track, call = events("amplitude", group)
        assert (track["type"], call["type"], call["groupId"]) == ("track", "group", "acme")
        assert call["traits"] == {"size": 5}


class TestGa4:
    def test_an_event_and_its_traits(self) -> None:
        track, identify = events("ga4", GA4, group="method")
        assert track.pop("messageId").startswith("ga4-")
        assert track == {
            "type": "track",
            "event": "sign_up",
            "timestamp": TIME,
            "userId": "u1",
            "anonymousId": "12.34",
            "groupId": "google",
            "properties": {"method": "google", "seats": 5, "price": 9.5},
        }
        assert (identify["type"], identify["traits"]) == ("identify", {"plan": "free"})

    def test_one_event_has_one_id_and_another_another(self) -> None:
        first, again = (events("ga4", GA4)[0]["messageId"] for _ in range(2))
        later = events("ga4", GA4 | {"event_timestamp": 1_772_359_200_000_001})[0]["messageId"]
        assert first == again != later

    def test_a_view_of_a_page(self) -> None:
        record = {**GA4, "event_name": "page_view", "user_properties": []}
        assert event("ga4", record)["type"] == "page"


MAP = """
event = "action"
user_id = "actor.id"
account_id = "org"
message_id = "key"
time = "at"
time_format = "epoch_ms"
[properties]
project_id = "target.project"
"""
MAPPED = {
    "action": "made",
    "actor": {"id": "u1"},
    "org": "acme",
    "key": "k1",
    "at": SECONDS * 1000,
    "target": {"project": "p9"},
}


class TestAMap:
    def test_says_what_each_key_is(self) -> None:
        assert read_map(MAP, "m.toml").events(MAPPED) == [
            {
                "type": "track",
                "event": "made",
                "userId": "u1",
                "groupId": "acme",
                "messageId": "k1",
                "timestamp": TIME,
                "properties": {"project_id": "p9"},
            }
        ]

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            ('"iso8601"', TIME),
            ('"epoch_s"', SECONDS),
            ('"epoch_s"', str(SECONDS)),
            ('"epoch_us"', SECONDS * 1_000_000),
            ('"%d/%m/%Y %H:%M"\ntime_zone = "Europe/Berlin"', "01/03/2026 11:00"),
            ('"iso8601"\ntime_zone = "Europe/Berlin"', "2026-03-01 11:00:00"),
            ('"%Y%m%d %H%M %z"', "20260301 1100 +0100"),
        ],
    )
    def test_reads_times_in_the_form_it_says(self, form: str, value: Any) -> None:
        text = f'event = "e"\nuser_id = "u"\ntime = "t"\ntime_format = {form}'
        [found] = read_map(text, "m.toml").events({"e": "x", "u": "u1", "t": value})
        assert found["timestamp"] == TIME

    def test_may_name_the_type_by_a_table(self) -> None:
        text = 'type = "t"\nuser_id = "u"\ntraits = "tr"\n[types]\nprofile = "identify"'
        [found] = read_map(text, "m.toml").events({"t": "profile", "u": "u1", "tr": {"a": 1}})
        assert found == {"type": "identify", "userId": "u1", "traits": {"a": 1}}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("x", "m.toml is not TOML"),
            ('event = "e"', "m.toml: user_id: not there"),
            ('user_id = "u"', "m.toml: event: not there"),
            ('evnt = "e"', "m.toml: evnt: not known, expected one of user_id"),
            ("event = 5", "m.toml: event: found int, expected the path of a key"),
            ('types = "x"', "m.toml: types: found str, expected a table"),
            ('event = "e"\nuser_id = "u"\ntime_format = "unix"', "time_format: found 'unix'"),
            ('event = "e"\nuser_id = "u"\ntime_format = "%d"', "time_zone: not there"),
            (
                'event = "e"\nuser_id = "u"\ntime_format = "%d"\ntime_zone = "Mars"',
                "found 'Mars', expected a zone",
            ),
        ],
    )
    def test_that_is_wrong_is_refused(self, text: str, said: str) -> None:
        with pytest.raises(BadRequest, match=said):
            read_map(text, "m.toml")


class TestAccounts:
    @pytest.mark.parametrize("name", ["posthog", "amplitude", "mixpanel", "ga4"])
    def test_that_no_record_has_are_told_with_what_there_is(self, name: str) -> None:
        format_ = format_of(name, Options(group="compny"))
        format_.events(SAMPLES[name])
        [doubt] = format_.doubts()
        assert doubt.startswith("--group compny is in no record; ")
        assert doubt.endswith({"ga4": "method, seats"}.get(name, "found: company"))

    def test_that_no_record_has_are_told_with_the_nearest_of_many_names_first(self) -> None:
        mixpanel = format_of("mixpanel", Options(group="compny"))
        properties = {f"$p{number}": 1 for number in range(40)} | {"company_id": "acme"}
        mixpanel.events({"event": "x", "properties": properties})
        [doubt] = mixpanel.doubts()
        assert "properties found: company_id, $p0, " in doubt
        assert doubt.endswith(" and 26 more")

    @pytest.mark.parametrize("name", ["posthog", "amplitude", "mixpanel"])
    def test_that_are_found_are_no_doubt(self, name: str) -> None:
        format_ = format_of(name, Options(group="company"))
        format_.events(SAMPLES[name])
        assert not format_.doubts()

    def test_of_one_type_that_are_several_are_counted_and_the_first_is_taken(self) -> None:
        format_ = format_of("amplitude", Options(group="company"))
        [found, *_] = format_.events(AMPLITUDE | {"groups": {"company": ["acme", "globex"]}})
        assert found["groupId"] == "acme"
        assert format_.doubts() == ["1 record has several accounts: the first one is taken"]


def test_amplitude_leaves_out_properties_that_it_does_not_know() -> None:
    user = {"initial_utm_source": "EMPTY", "plan": "free"}
    identify = events("amplitude", AMPLITUDE | {"user_properties": user})[1]
    assert identify["traits"] == {"plan": "free"}


class TestWhatAMapMaySay:
    def test_may_name_an_item_of_a_list(self) -> None:
        record = {"e": "used", "u": "u1", "contexts": [{"id": "acme"}, {"id": "x"}]}
        for path in ("contexts[0].id", "contexts.0.id"):
            map_ = read_map(f'event = "e"\nuser_id = "u"\naccount_id = "{path}"', "m.toml")
            assert map_.events(record)[0]["groupId"] == "acme"
            assert not map_.doubts()
        map_ = read_map('event = "e"\nuser_id = "u"\naccount_id = "contexts[2].id"', "m.toml")
        assert "groupId" not in map_.events(record)[0]

    def test_says_which_paths_are_in_no_record(self) -> None:
        text = 'event = "e"\nuser_id = "u"\naccount_id = "a[0].id"\n[properties]\nplan = "p"'
        map_ = read_map(text, "m.toml")
        map_.events({"e": "used", "u": "u1"})
        assert map_.doubts() == ["m.toml: in no record: account_id = a[0].id, properties.plan = p"]

    def test_may_take_all_other_keys_as_properties(self) -> None:
        text = 'event = "e"\nuser_id = "who.id"\nproperties = "*"'
        record = {"e": "used", "who": {"id": "u1", "role": "dev"}, "seats": 5, "empty": {}}
        [found] = read_map(text, "m.toml").events(record)
        assert found["properties"] == {"who": {"role": "dev"}, "seats": 5, "empty": {}}

    def test_may_be_of_one_type_of_call(self) -> None:
        text = """
            type = "identify"
            user_id = "$distinct_id"
            time = "$properties.$last_seen"
            time_zone = "UTC"
            traits = "$properties"
        """
        seen = {"$last_seen": "2026-03-01T10:00:00", "plan": "free"}
        map_ = read_map(text, "m.toml")
        record = {"$distinct_id": "u1", "$properties": seen}
        check(lines(record), map_)
        [found] = map_.events(record)
        assert (found["type"], found["userId"], found["traits"]) == ("identify", "u1", seen)
        assert found["timestamp"] == TIME

    def test_of_tracks_needs_a_name(self) -> None:
        with pytest.raises(BadRequest, match="event: not there"):
            read_map('type = "track"\nuser_id = "u"', "m.toml")


class TestRecognition:
    @pytest.mark.parametrize("name", SAMPLES)
    def test_a_log_in_its_format_is_accepted(self, name: str) -> None:
        check(lines(SAMPLES[name]), format_of(name, Options()))

    @pytest.mark.parametrize("name", [name for name in SAMPLES if name != "pequel"])
    def test_another_is_refused_and_its_format_is_named(self, name: str) -> None:
        with pytest.raises(BadRequest, match=f"It looks like --format {name}$"):
            check(lines(SAMPLES[name]), format_of("pequel", Options()))

    def test_the_keys_found_and_the_keys_read_are_named(self) -> None:
        heap = {"event_id": 1, "time": "2026-03-01", "user_id": 7, "event": "x"}
        with pytest.raises(BadRequest) as refused:
            check(lines(heap), format_of("pequel", Options()))
        assert "Keys found: event_id, time, user_id, event. Keys read: " in str(refused.value)
        assert str(refused.value).endswith("Say its --format, or describe it with --map")

    def test_a_map_that_finds_no_user_is_refused(self) -> None:
        with pytest.raises(
            BadRequest, match=r"event: no record has action\. Keys found: event_id,"
        ):
            check(lines(COMMON), read_map(MAP, "m.toml"))

    @pytest.mark.parametrize(
        "record",
        [
            {"userId": "u1", "event": "used"},
            {"event": "used", "timestamp": TIME},
            {"event": "used", "user_id": "u1", "timestamp": TIME, "more": 1},
            {"type": "identify", "anonymousId": "v", "receivedAt": TIME, "integrations": {}},
        ],
    )
    def test_an_event_of_ours_may_lack_a_user_or_a_time(self, record: Plain) -> None:
        check(lines(record), format_of("pequel", Options()))

    def test_every_name_is_a_format(self) -> None:
        assert all(format_of(name, Options()).name == name for name in NAMES)


def test_snapshots_forget_those_not_seen_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pequel_collector.importing.format._REMEMBERED", 2)
    seen = Snapshots()
    assert [seen.is_new(who, {}) for who in ("a", "a", "b", "c", "a")] == [
        True, False, True, True, True,
    ]  # fmt: skip
