"""What the demo writes fits a terminal, whatever it is told."""

import io

import pytest

from prober.demo.screen import WIDTH, Screen, Style, clock, wants_colours, wrapped

NOON = 1_795_348_800.0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*, colours: bool = False) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(out, colours=colours), out


def test_news_stand_beside_their_time_and_wrap_below_it() -> None:
    screen, out = shown()
    screen.news(NOON, "word " * 20)
    first, second = out.getvalue().splitlines()
    assert first.startswith(f"{clock(NOON)}  word")
    assert second.startswith(" " * 12 + "word")
    assert max(len(first), len(second)) <= WIDTH


def test_what_others_wrote_is_barred_cut_and_cannot_touch_the_terminal() -> None:
    screen, out = shown()
    screen.quote(["\x1b[2Jgone", "", "  indented " + "word " * 20, *["more"] * 10], 5, "in the file")
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["  | \\x1b[2Jgone", "  |"]
    assert lines[3].startswith("  |     word"), "wrapped lines keep their indentation, and a little more"
    assert lines[-1] == "  | ... 9 lines more: in the file"
    assert all(len(line) <= WIDTH for line in lines)


def test_nothing_more_is_announced_when_all_is_shown() -> None:
    screen, out = shown()
    screen.quote(["one", "two"], 2, "in the file")
    assert out.getvalue() == "  | one\n  | two\n"


def test_a_line_is_cut_and_a_pair_is_never_broken() -> None:
    screen, out = shown()
    screen.line("x" * 100)
    screen.pair("configuration", "/tmp/" + "y" * 100)
    line, pair = out.getvalue().splitlines()
    assert line == "x" * 77 + "..."
    assert pair == "  configuration   /tmp/" + "y" * 100


def test_a_command_is_continued_where_it_does_not_fit() -> None:
    screen, out = shown()
    screen.command("prober seconds bird", "--config demo.yaml")
    screen.command("prober seconds bird", f"--config /tmp/{'z' * 60}/demo.yaml")
    assert out.getvalue().splitlines() == [
        "  prober seconds bird --config demo.yaml",
        "  prober seconds bird \\",
        f"    --config /tmp/{'z' * 60}/demo.yaml",
    ]


def test_colours_are_codes_around_the_words_alone() -> None:
    screen, out = shown(colours=True)
    screen.painted([("unavailable", Style.BAD), (" 0/1  ", Style.PLAIN)])
    screen.below("x", Style.BOLD)
    assert out.getvalue() == "\x1b[1;31munavailable\x1b[0m 0/1\n          \x1b[1mx\x1b[0m\n"


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_gets_colours_unless_they_are_unwanted(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert wants_colours(Terminal()) is coloured
    assert wants_colours(io.StringIO()) is False, "a pipe gets none"


def test_wrapping_loses_no_word() -> None:
    text = " ".join(f"word-{n}" for n in range(50)) + " " + "long" * 40
    assert "".join("".join(wrapped(text, 60)).split()) == text.replace(" ", "")
