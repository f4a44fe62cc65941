"""Work that may pause comes to the same as work that does not."""

from rules.slices import AT_ONCE, Work, by_slices, whole


def test_whole_runs_through_every_pause_and_answers_what_it_came_to() -> None:
    def counting() -> Work[int]:
        for _ in range(3):
            yield
        return 7

    assert whole(counting()) == 7


def test_a_pause_comes_before_every_so_manieth_item() -> None:
    pauses = [n for n, pause in by_slices(range(1, 3 * AT_ONCE + 1)) if pause]

    assert pauses == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE]
