"""Replies out of bytes, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.probes.smtp_reply import MAX_LINE, MAX_REPLY, MAX_TEXT, ReplyError, ReplyReader, lines, read
from rules.model import Trouble


def codes_of(*chunks: bytes) -> list[int]:
    reader = ReplyReader()
    found = []
    for chunk in chunks:
        code = reader.feed(chunk)
        while code:
            found.append(code)
            code = reader.next()
    return found


@pytest.mark.parametrize(
    ("raw", "code", "enhanced", "text"),
    [
        (b"220 mail.example ESMTP\r\n", 220, "", "mail.example ESMTP"),
        (b"250\r\n", 250, "", ""),
        (b"250\n", 250, "", ""),
        (b"250 bare line feed\n", 250, "", "bare line feed"),
        (b"451 4.3.0 local error\r\n", 451, "4.3.0", "local error"),
        (b"451 4.3.0\r\n", 451, "4.3.0", ""),
        (b"550-5.7.1 first\r\n550 5.7.1 second\r\n", 550, "5.7.1", "first second"),
        (b"550-5.7.1 first\r\n550-\r\n550 5.7.2 third\r\n", 550, "5.7.1", "first  5.7.2 third"),
        (b"451 4.7.1: <a@b.example>: policy\r\n", 451, "4.7.1", "<a@b.example>: policy"),
        (b"421 4.7.0\tour policy\r\n", 421, "4.7.0", "our policy"),
        (b"454 4.7.0.1 not an enhanced code\r\n", 454, "", "4.7.0.1 not an enhanced code"),
        (b"250 1.2.3 class one does not exist\r\n", 250, "", "1.2.3 class one does not exist"),
        (b"550 \xc3\xbc\xff\r\n", 550, "", "ü\ufffd"),
        (b"550 bell\x07 escape\x1b[2J\r\n", 550, "", "bell\ufffd escape\ufffd[2J"),
    ],
)
def test_a_reply_gives_its_code_enhanced_code_and_text(raw: bytes, code: int, enhanced: str, text: str) -> None:
    reader = ReplyReader()
    assert reader.feed(raw) == code
    assert reader.pending == 0
    assert read(reader.raw) == (enhanced, text)


REPLIES = st.lists(
    st.tuples(st.integers(200, 599), st.lists(st.binary(max_size=12).filter(lambda b: b"\n" not in b), min_size=1)),
    min_size=1,
    max_size=4,
)


@given(REPLIES, st.lists(st.integers(0, 200)), st.booleans())
def test_how_the_bytes_are_cut_makes_no_difference(
    replies: list[tuple[int, list[bytes]]], cuts: list[int], bare: bool
) -> None:
    end = b"\n" if bare else b"\r\n"
    stream = b""
    for code, texts in replies:
        for n, text in enumerate(texts):
            stream += b"%d%b%b%b" % (code, b" " if n == len(texts) - 1 else b"-", text, end)
    places = sorted({0, *(c % len(stream) for c in cuts), len(stream)})
    chunks = [stream[a:b] for a, b in pairwise(places)]
    assert codes_of(*chunks) == [code for code, _ in replies]


def test_a_reply_a_byte_at_a_time_is_the_same_reply() -> None:
    raw = b"250-mail.example\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"
    reader = ReplyReader()
    assert [code for i in range(len(raw)) if (code := reader.feed(raw[i : i + 1]))] == [250]
    assert lines(reader.raw) == [b"mail.example", b"SIZE 1000", b"8BITMIME"]


def test_two_replies_in_one_segment_come_one_after_the_other() -> None:
    reader = ReplyReader()
    assert reader.feed(b"250 ok\r\n421 going\r\n") == 250
    assert (reader.raw, reader.pending) == (b"250 ok\r\n", 11)
    assert reader.next() == 421
    assert reader.next() == 0
    assert reader.raw == b"421 going\r\n"


@pytest.mark.parametrize(
    "junk",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x16\x03\x01",
        b"\x00",
        b"1",
        b"620 no such class\r\n",
        b"25",
        b"250x\r\n",
        b"2 0 \r\n",
        b"2\r\n",
        b"\r\n",
        b"2\xff",
    ],
)
def test_what_is_no_reply_is_malformed_as_soon_as_it_shows(junk: bytes) -> None:
    if junk == b"25":  # what may still become one is waited for
        assert codes_of(junk) == []
        return
    with pytest.raises(ReplyError) as caught:
        codes_of(junk)
    assert caught.value.trouble is Trouble.MALFORMED
    assert caught.value.detail.startswith("not an SMTP reply: ")


def test_a_line_of_junk_after_a_good_line_is_malformed() -> None:
    with pytest.raises(ReplyError, match="not an SMTP reply: 'junk"):
        codes_of(b"250-mail.example\r\njunk\r\n")


def test_the_code_must_be_the_same_on_every_line() -> None:
    with pytest.raises(ReplyError, match="one reply with two codes: 250 and 251") as caught:
        codes_of(b"250-a\r\n251 b\r\n")
    assert caught.value.trouble is Trouble.MALFORMED


def test_a_line_may_be_longer_than_the_rfc_says_but_not_without_end() -> None:
    assert codes_of(b"250 " + b"x" * (MAX_LINE - 6) + b"\r\n") == [250]
    for chunks in (
        [b"250 " + b"x" * MAX_LINE + b"\r\n"],
        [b"250 " + b"x" * MAX_LINE],
        [b"250 ", *[b"x" * 512] * 9],
    ):
        with pytest.raises(ReplyError, match="line of more than 4096 bytes") as caught:
            codes_of(*chunks)
        assert caught.value.trouble is Trouble.TOO_LARGE


@pytest.mark.parametrize("size", [7, 700, 1_000_000])
def test_a_reply_without_end_is_too_large(size: int) -> None:
    stream = b"250-x\r\n" * 20_000
    with pytest.raises(ReplyError, match="reply of more than 65536 bytes") as caught:
        codes_of(*(stream[i : i + size] for i in range(0, len(stream), size)))
    assert caught.value.trouble is Trouble.TOO_LARGE


def test_a_reply_just_within_the_limit_is_read() -> None:
    more = b"250-" + b"x" * 58 + b"\r\n"
    raw = more * (MAX_REPLY // len(more) - 1) + b"250 " + b"x" * 58 + b"\r\n"
    assert len(raw) == MAX_REPLY
    assert codes_of(raw) == [250]


def test_the_text_that_is_kept_is_bounded() -> None:
    text = read(
        b"550-5.1.1 " + b"y" * 4000 + b"\r\n550-5.1.1 " + b"y" * 4000 + b"\r\n550 5.1.1 " + b"z" * 800 + b"\r\n"
    )[1]
    assert len(text.encode()) == MAX_TEXT
    assert text.startswith("yyy")
    assert text.endswith("zzz")


def test_a_word_of_limits_counts_at_the_end_of_a_long_reply_too() -> None:
    raw = b"451-4.3.0 " + b"we are sorry. " * 100 + b"\r\n451 4.3.0 Sending rate exceeded\r\n"
    assert read(raw)[1].endswith("sorry.  Sending rate exceeded")


def test_an_enhanced_code_on_a_later_line_alone_is_the_replys() -> None:
    """RFC 2034 4 has it on every line; some servers greet first."""
    raw = b"421-mail.example is sorry\r\n421 4.7.0 Too many connections from your address\r\n"
    assert read(raw) == ("4.7.0", "mail.example is sorry Too many connections from your address")


def test_a_reply_whose_limit_falls_within_a_line_is_too_large() -> None:
    reader = ReplyReader()
    lines_before = b"250-x\r\n" * (MAX_REPLY // 7)
    assert reader.feed(lines_before) == 0
    with pytest.raises(ReplyError, match="reply of more than 65536 bytes"):
        reader.feed(b"250-" + b"y" * 20)
