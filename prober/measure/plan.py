"""What is to be measured from some second on: the services' layouts, the controls, and the board that shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prober.board import WIDTH, Board
from prober.measure.lane import Lane, spread
from prober.measure.ring import Layout


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be called: the services' layouts, the controls, and the board on which figures appear."""

    layouts: tuple[Layout, ...]
    controls: tuple[Lane, ...]
    board: Board

    @classmethod
    def of(cls, services: Mapping[str, Mapping[str, Iterable[Lane]]], controls: Iterable[Lane]) -> "Plan":
        """`services` are lanes by service and channel. Gives every lane its place, its index and its row on the board."""
        layouts = []
        for service, channels in services.items():
            lanes: list[Lane] = []
            spans = []
            for number, (channel, some) in enumerate(channels.items()):
                first = len(lanes)
                for lane in some:
                    lane.channel, lane.index = number, len(lanes)
                    lanes.append(lane)
                if len(lanes) > first:
                    spans.append((channel, first, len(lanes)))
            layouts.append(Layout(service, tuple(lanes), tuple(spans)))
        every = [lane for layout in layouts for lane in layout.lanes]
        for row, lane in enumerate(every):
            lane.row = row * WIDTH
        wards = tuple(controls)
        spread([*every, *wards])
        board = Board.create([(lane.key.service, lane.key.channel, lane.key.endpoint, lane.kind) for lane in every])
        return cls(tuple(layouts), wards, board)

    @property
    def endpoints(self) -> list[Lane]:
        """The lanes of all services, in the order of the board's rows."""
        return [lane for layout in self.layouts for lane in layout.lanes]

    def succeed(self, old: "Plan") -> None:
        """Take over from `old`: what an endpoint has shown and counted stays on the board over a reload.

        Calls of `old` that are still open end on the new board, in the row of their endpoint, or on none.
        """
        rows = {key: row * WIDTH for row, key in enumerate(self.board.keys)}
        for key, lane in zip(old.board.keys, old.endpoints, strict=True):
            row, before = rows.get(key, -1), lane.row
            if row >= 0:
                self.board.cells[row : row + WIDTH] = old.board.cells[before : before + WIDTH]
            lane.row = row
        for lane in [*old.endpoints, *old.controls]:
            lane.probe.close()
