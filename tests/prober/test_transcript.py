"""A call's bytes as text for people."""

from prober.probes.transcript import render


def test_each_line_of_the_dialogue_has_its_time_and_its_direction() -> None:
    text = render([(0, ">", b"EHLO x\r\nNOOP\r\n"), (1_500_000, "<", b"250 ok\r\n")])
    assert text.splitlines() == ["      0.0 ms > EHLO x", "      0.0 ms > NOOP", "      1.5 ms < 250 ok"]


def test_nothing_is_nothing() -> None:
    assert render([]) == ""


def test_what_is_no_text_is_escaped() -> None:
    text = render([(0, "<", b"\xff\x00\x1b[31mred\tgr\xc3\xbcn\xe2\x80\xae")])
    assert text == "      0.0 ms < \\xff\\x00\\x1b[31mred\tgrün\\u202e"


def test_many_lines_are_cut() -> None:
    lines = render([(0, "<", b"x\n" * 5000)]).splitlines()
    assert (len(lines), lines[-1]) == (401, "...")
