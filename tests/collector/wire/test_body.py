"""From the bytes of a request to text: what is inflated, what is too much, what is broken."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.config import Settings
from pequel_collector.errors import BadRequest, PequelError, TooLarge, Unsupported
from pequel_collector.wire.body import read

SETTINGS = Settings(max_body=1_000, max_inflated=5_000)
TEXT = '{"é": 1}'.encode()


class TestGzip:
    @pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP ", "", "identity"])
    def test_is_told_by_its_first_bytes(self, encoding: str) -> None:
        """Some clients compress and do not say so."""
        assert read(gzip.compress(TEXT), encoding, SETTINGS) == TEXT

    def test_that_a_proxy_inflated_is_read_as_it_is(self) -> None:
        assert read(TEXT, "gzip", SETTINGS) == TEXT

    def test_that_inflates_to_the_limit_is_read(self) -> None:
        assert read(gzip.compress(b"a" * 5_000), "gzip", SETTINGS) == b"a" * 5_000

    def test_that_inflates_to_more_is_too_large(self) -> None:
        with pytest.raises(TooLarge):
            read(gzip.compress(b"a" * 5_001), "gzip", SETTINGS)

    def test_that_would_inflate_without_end_is_not_inflated(self) -> None:
        """No more than the limit is ever held."""
        bomb = gzip.compress(b"\0" * 50_000_000)
        with pytest.raises(TooLarge):
            read(bomb, "gzip", Settings(max_inflated=1_000))

    @pytest.mark.parametrize("end", [2, 5, 12, -1, -8])
    def test_that_ends_too_early_is_bad(self, end: int) -> None:
        with pytest.raises(BadRequest) as caught:
            read(gzip.compress(TEXT * 10)[:end], "gzip", SETTINGS)
        assert caught.value.code == "bad_gzip"

    def test_with_a_wrong_checksum_is_bad(self) -> None:
        compressed = bytearray(gzip.compress(TEXT))
        compressed[-5] ^= 1
        with pytest.raises(BadRequest, match="not gzip"):
            read(bytes(compressed), "gzip", SETTINGS)

    def test_may_come_in_several_members(self) -> None:
        parts = [gzip.compress(part) for part in (TEXT[:3], b"", TEXT[3:])]
        assert read(b"".join(parts), "gzip", SETTINGS) == TEXT

    def test_of_several_members_has_one_limit(self) -> None:
        with pytest.raises(TooLarge):
            read(gzip.compress(b"a" * 2_501) + gzip.compress(b"a" * 2_500), "gzip", SETTINGS)

    def test_of_too_many_members_is_bad(self) -> None:
        """What each of them costs grows with all that is behind it."""
        empty = gzip.compress(b"")
        assert read(empty * 20, "gzip", SETTINGS) == b""
        with pytest.raises(BadRequest, match="more than 100 members"):
            read(empty * 101, "gzip", Settings())

    def test_with_something_else_behind_it_is_bad(self) -> None:
        with pytest.raises(BadRequest, match="not gzip"):
            read(gzip.compress(TEXT) + b"and more", "gzip", SETTINGS)


class TestPlain:
    def test_is_read_as_it_is(self) -> None:
        assert read(TEXT, "", SETTINGS) == TEXT

    def test_of_the_limit_is_read(self) -> None:
        assert read(b"a" * 1_000, "", SETTINGS) == b"a" * 1_000

    def test_over_the_limit_is_too_large(self) -> None:
        with pytest.raises(TooLarge):
            read(b"a" * 1_001, "", SETTINGS)

    def test_loses_its_byte_order_mark(self) -> None:
        assert read(b"\xef\xbb\xbf" + TEXT, "", SETTINGS) == TEXT

    @pytest.mark.parametrize("text", [b"\xff", b'"\xed\xa0\x80"', '"é"'.encode("latin-1")])
    def test_that_is_no_utf_8_is_bad(self, text: bytes) -> None:
        with pytest.raises(BadRequest, match="byte"):
            read(text, "", SETTINGS)


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "\ud800"])
def test_an_encoding_that_is_not_spoken_is_named(encoding: str) -> None:
    with pytest.raises(Unsupported) as caught:
        read(zlib.compress(TEXT), encoding, SETTINGS)
    assert ascii(encoding) in caught.value.message


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(body: bytes, compressed: bool) -> None:
    with suppress(PequelError):
        assert len(read(b"\x1f\x8b" + body if compressed else body, "", SETTINGS)) <= 5_000
