"""The HTTP client of alerts: where it goes, and where it does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from pequel_collector.delivery.http import MAX_ANSWER, Http, Unreachable, resolve
from pequel_collector.delivery.target import BLOCKED_PORTS, Forbidden, parse
from support.receivers import Receiver, Reply

from .test_addresses import REFUSED

HOSTILE = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://0177.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://127.0x0.0.01:{port}/",
    "http://4294967295:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://١٢٧.٠.٠.١:{port}/",
    "http://127｡0｡0｡1:{port}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://[::ffff:127.0.0.1%25lo]:{port}/",
    "http://[::ffff:0:7f00:1]:{port}/",
    "http://[::ffff:169.254.169.254]/latest/meta-data/",
    "http://[64:ff9b::169.254.169.254]/latest/meta-data/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fec0::1]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[v1.127.0.0.1]:{port}/",
    "http://[127.0.0.1]:{port}/",
    "http://127.0.0.1%2f@example.com:{port}/",
    "http://example.com%00.127.0.0.1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://:@127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "HTTP://LOCALHOST:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/",
    "http://93.184.216.34:0/",
    "http://93.184.216.34:22/",
    "http://93.184.216.34:25/",
    "https://93.184.216.34:465/",
    "http://93.184.216.34:6379@127.0.0.1:{port}/",
    "data:text/plain,x",
    "dict://127.0.0.1:{port}/",
    "ldap://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "http://user@127.0.0.1:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://exa mple.com:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: example.com",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://metadata.google.internal./",
    "http://:{port}/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:99999999/",
    "http://" + "a" * 70 + ".com/",
    "http://" + "a." * 2_000 + "com/",
    "",
]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


@pytest.fixture
def http() -> Http:
    """A client that may go to the receiver."""
    return Http(allow_private=True, deadline=5)


def looked_up(*addresses: str) -> Http:
    """A client for which each name has these addresses."""
    return Http(resolver=lambda _host, _port: addresses, deadline=2)


class TestWhereItDoesNotGo:
    @pytest.mark.parametrize("url", HOSTILE)
    def test_a_hostile_url_is_not_connected_to(self, receiver: Receiver, url: str) -> None:
        def resolver(host: str, port: int) -> Sequence[str]:
            """No test asks a name server: only numbers and localhost are looked up."""
            if host.strip("[]").rstrip(".").lower() == "localhost":
                return ["127.0.0.1", "::1"]
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
            return [str(each[4][0]) for each in found]

        with pytest.raises((Forbidden, Unreachable)):
            Http(resolver=resolver, deadline=2).request("POST", url.format(port=receiver.port))
        assert receiver.connections == 0

    @pytest.mark.parametrize("address", REFUSED[:-2])
    def test_a_name_that_means_such_an_address_is_not_connected_to(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "create_connection", pytest.fail)
        with pytest.raises(Forbidden, match="which is not public"):
            looked_up(address).request("POST", "http://hooks.example/")

    @pytest.mark.parametrize("port", sorted(BLOCKED_PORTS))
    def test_ports_of_other_protocols_are_never_connected_to(
        self, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A template chooses the body, and a mail server would take its lines for commands."""
        monkeypatch.setattr(socket, "create_connection", pytest.fail)
        http = Http(allow_private=True, resolver=lambda _host, _port: ["127.0.0.1"])
        with pytest.raises(Forbidden, match="is not for HTTP"):
            http.request("POST", f"http://mail.example:{port}/", b"MAIL FROM:<a@b.example>\r\n")

    def test_a_name_with_one_private_address_among_others_is_refused(
        self, receiver: Receiver
    ) -> None:
        with pytest.raises(Forbidden, match=r"127\.0\.0\.1, which is not public"):
            looked_up("93.184.216.34", "127.0.0.1").request(
                "POST", f"http://example.com:{receiver.port}/"
            )
        assert receiver.connections == 0

    def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name that is public when it is checked, and private when it is connected to."""
        asked, connected = [], []

        def rebinding(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

        def connect(address: tuple[str, int], timeout: float) -> socket.socket:
            connected.append(address)
            raise ConnectionRefusedError(111, "Connection refused")

        monkeypatch.setattr(socket, "create_connection", connect)
        with pytest.raises(Unreachable, match="Connection refused"):
            Http(resolver=rebinding).request("POST", f"http://rebind.example:{receiver.port}/")
        assert asked == ["rebind.example"]
        assert connected == [("93.184.216.34", receiver.port)]

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308, 200, 201])
    def test_a_redirect_is_not_followed(self, receiver: Receiver, http: Http, status: int) -> None:
        where = f"{receiver.url}/other"
        elsewhere = {"Location": where, "Refresh": f"0; url={where}", "Alt-Svc": 'h2=":1"'}
        receiver.behaviour = lambda _: Reply(status, elsewhere)
        assert http.request("POST", receiver.url).status == status
        assert [taken.path for taken in receiver.taken] == ["/"]

    def test_proxies_of_the_environment_are_not_used(
        self, receiver: Receiver, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Receiver().running() as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
                monkeypatch.setenv(name, proxy.url)
            assert http.request("GET", receiver.url).is_ok
            assert proxy.connections == 0


class TestRequests:
    def test_the_host_header_is_that_of_the_url_and_not_the_address(
        self, receiver: Receiver
    ) -> None:
        http = Http(allow_private=True, resolver=lambda _host, _port: ["127.0.0.1"])
        http.request("POST", f"http://hooks.example:{receiver.port}/a%20b/ü?q=1&r=ä", b"{}")
        [taken] = receiver.taken
        assert taken.headers["host"] == f"hooks.example:{receiver.port}"
        assert taken.path == "/a%20b/%C3%BC?q=1&r=%C3%A4"
        assert taken.body == b"{}"

    def test_the_next_address_is_tried_if_one_refuses(self, receiver: Receiver) -> None:
        http = Http(allow_private=True, resolver=lambda _host, _port: ["127.0.0.9", "127.0.0.1"])
        assert http.request("GET", f"http://hooks.example:{receiver.port}/").is_ok

    def test_an_answer_is_read_to_its_limit(self, receiver: Receiver, http: Http) -> None:
        receiver.behaviour = lambda _: Reply(500, {"X-Why": "because"}, b"x" * 1_000_000)
        answer = http.request("GET", receiver.url)
        assert (answer.status, answer.headers["x-why"]) == (500, "because")
        assert len(answer.body) == MAX_ANSWER

    @pytest.mark.parametrize(
        "slow", [Reply(delay=30), Reply(body=b"x" * 1_000, drip=0.05)], ids=["silent", "dripping"]
    )
    def test_a_slow_host_is_left_at_the_deadline(self, receiver: Receiver, slow: Reply) -> None:
        receiver.behaviour = lambda _: slow
        http = Http(allow_private=True, deadline=0.3)
        with pytest.raises(Unreachable, match=r"within 0\.3 seconds|in time"):
            http.request("GET", receiver.url)

    def test_a_reset_is_no_answer(self, receiver: Receiver, http: Http) -> None:
        receiver.behaviour = lambda _: None
        with pytest.raises(Unreachable):
            http.request("POST", receiver.url, b"{}")

    def test_nobody_listens(self, http: Http) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            with pytest.raises(Unreachable, match="refused"):
                http.request("GET", f"http://127.0.0.1:{probe.getsockname()[1]}/")

    def test_a_host_that_does_not_speak_http(self, http: Http) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            server.settimeout(5)

            def resolver(host: str, _port: int) -> Sequence[str]:
                return [host]

            def talk() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1_000)
                    connection.sendall(b"220 mail.example ready\r\n")

            thread = threading.Thread(target=talk)
            thread.start()
            with pytest.raises(Unreachable):
                Http(allow_private=True, resolver=resolver).request(
                    "GET", f"http://127.0.0.1:{port}"
                )
            thread.join()

    def test_a_name_that_cannot_be_found(self) -> None:
        def resolver(_host: str, _port: int) -> Sequence[str]:
            raise socket.gaierror(-2, "Name or service not known")

        with pytest.raises(Unreachable, match=r"hooks\.example cannot be found"):
            Http(resolver=resolver).request("GET", "https://hooks.example/")

    def test_the_system_looks_names_up(self) -> None:
        assert "127.0.0.1" in resolve("127.0.0.1", 80)


def test_a_url_in_parts() -> None:
    target = parse("https://Hooks.Example:8443/a?b=c#d")
    assert (target.host, target.port, target.path) == ("hooks.example", 8443, "/a?b=c")
    assert target.host_header == "hooks.example:8443"
    assert parse("https://[2606:4700::1]/").host_header == "[2606:4700::1]"
    assert parse("https://bücher.example").host == "xn--bcher-kva.example"
