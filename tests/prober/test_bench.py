"""The benchmarks' pieces run, with tiny counts, and say what they should. No figure is asserted: those are for `make bench`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop
from rich.console import Console

from bench import __main__ as bench
from bench import calls, lags, lasting, many, meters, program, prompt, receivers, servers, table, where
from bench.calls import caller
from bench.settings import Settings
from prober.store import Reader, SeriesKey
from rules.model import Verdict

TINY = Settings(lambda _text: None, rounds=1, calls=40, rate=24, seconds=1, samples=1)


def test_a_row_says_what_it_was_measured_beside_and_whether_the_bar_is_met() -> None:
    row = table.Row("a call", "µs", 50.0, {"peer": 200.0, "other": 25.0}, "60", met=True, note="here")
    assert row.ratios == {"peer": 0.25, "other": 2.0}
    assert row.cells() == ("a call", "50.0 µs", "peer 200\nother 25.0", "0.25\n2.00", "60", "met", "here")
    console = Console(width=120)
    with console.capture() as captured:
        table.show([row, table.Row("another", "s", 9.0, met=False)], console)
    assert "met" in captured.get()
    assert "MISSED" in captured.get()


def test_rounds_are_interleaved_and_give_medians() -> None:
    order: list[str] = []
    figures = {"a": iter([1.0, 9.0, 2.0]), "b": iter([5.0, 5.0, 4.0])}

    def take(name: str) -> float:
        order.append(name)
        return next(figures[name])

    found = meters.rounds({"a": lambda: take("a"), "b": lambda: take("b")}, 3, lambda _text: None)
    assert order == ["a", "b"] * 3
    assert found == {"a": 2.0, "b": 5.0}


def test_a_slope_comes_with_its_error() -> None:
    rise, error = meters.slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 7.0)])
    assert (round(rise, 9), round(error, 9)) == (2.0, 0.0)
    assert meters.slope([(0.0, 1.0), (1.0, 0.0), (2.0, 1.0), (3.0, 0.0)])[1] > 0
    assert meters.percentile([3.0, 1.0, 2.0, 4.0], 0.5) == 3.0


def test_the_cpu_and_memory_of_another_process_are_read() -> None:
    loop = "import sys; print('go', flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = meters.cpu_ns(process.pid)
        until = time.monotonic() + 30
        while meters.cpu_ns(process.pid) - before < 10_000_000:
            assert time.monotonic() < until, "a process that does nothing but count gets CPU time"
        assert meters.rss_bytes(process.pid) > 1_000_000
        meters.end(process)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("name", ["bare_fresh", "bare_kept", "httpx_fresh", "httpx_kept"])
@pytest.mark.parametrize("rate", [0, 200])
def test_a_peer_makes_its_calls(name: str, rate: int) -> None:
    with servers.ours("http") as port:
        assert caller(name, 20, port, rate=rate) > 0


def test_aiosmtplib_hands_over_its_messages() -> None:
    with servers.ours("smtp") as port:
        assert caller("aiosmtplib_fresh", 10, port) > 0


def test_a_server_with_a_certificate_is_called_over_tls(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with servers.web(tmp_path) as web:
        if web.tls is None:
            pytest.skip("nginx is not installed")
        assert caller("bare_fresh", 5, web.tls, web.ca) > 0
        assert caller("httpx_fresh", 5, web.tls, web.ca) > 0


def test_the_pieces_of_a_call_are_measured_alone() -> None:
    with servers.ours("http") as port:
        answer = where.response(port)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert all(
            sum(where.timed(work, 50)) >= 0
            for work in (where.parser(answer), where.conversation(answer, where.plan(port)))
        )
        user, system = uvloop.run(where.wire(port, 30, 500))
        assert user + system > 0


def test_a_bare_timer_writes_down_how_late_it_was(tmp_path: Path) -> None:
    out = tmp_path / "lags.json"

    async def some() -> None:
        asyncio.get_running_loop().call_later(1.2, os.kill, os.getpid(), signal.SIGTERM)
        await lags.timer(200, out)

    uvloop.run(some())
    assert lags.quantile(out, 0.99) > 0


def test_lags_are_counted_in_fine_bins_beside_the_programs_own(tmp_path: Path) -> None:
    lag = lags.Fine((0.001, 0.01))
    for late in (0.000_005, 0.000_5, 0.5, 99.0):
        lag.add(late)
    assert lag.counts == [2, 0, 2], "as the program's histogram counts"
    lag.save(tmp_path / "bins")
    assert lags.quantile(tmp_path / "bins", 0.25) == pytest.approx(0.000_01)
    assert lags.quantile(tmp_path / "bins", 0.75) == pytest.approx(0.500_01, rel=1e-3)
    lag.forget()
    lag.save(tmp_path / "bins")
    assert lags.quantile(tmp_path / "bins", 0.5) == 0.0


@pytest.mark.parametrize("every", [1, 10])
def test_a_years_runs_hold_every_second_and_every_outage(every: int) -> None:
    outages = [(100, 160, lasting._DOWN[0]), (5000, 5010, lasting._DOWN[1])]
    runs = list(lasting.runs(every, 0, outages))
    assert runs[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(runs)), "they follow each other"
    assert runs[-1].end == lasting.YEAR
    for second, verdict in ((0, Verdict.AVAILABLE), (100, Verdict.UNAVAILABLE), (5000, Verdict.UNAVAILABLE)):
        assert next(run.cell(second).verdict for run in runs if run.end is not None and second < run.end) is verdict
    between = next(run for run in runs if run.end is not None and run.end > 1001)
    assert between.cell(1001).verdict is (Verdict.AVAILABLE if every == 1 else Verdict.UNMEASURED)


def test_a_years_store_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting, "CHANGES", 10)
    path = tmp_path / "year.db"
    count = lasting.a_year(path, 1, 1_795_341_600)
    assert count > 20
    with Reader(path) as reader:
        key = SeriesKey(lasting.SERVICE, "api")
        down = sum(b - a for a, b, cell in reader.stretches(key, 0, 1 << 40) if cell.verdict is Verdict.UNAVAILABLE)
    assert down > 0
    wrong = many.misjudged(path, 1_795_341_000, 1_795_341_500, Verdict.UNMEASURED)
    assert wrong, "seconds that are not what they should be are found"


def test_receivers_stamp_what_arrives() -> None:
    seen: list[tuple[str, float]] = []

    def note(path: str, at: float) -> int:
        seen.append((path, at))
        return 200

    before = time.time()
    with receivers.http(note) as port, receivers.mailbox(note) as mail:
        assert b" 200 " in where.response(port)
        assert caller("aiosmtplib_fresh", 1, mail) >= 0
    assert seen[0][0] == "/"
    assert {path for path, _ in seen[1:]} == {"mail"}
    assert all(at >= before for _, at in seen)


def test_an_api_fails_from_its_second_on() -> None:
    outages = prompt.Outages()
    outages.begins = [100]
    assert [outages.seen("/0", 99.9), outages.seen("/0", 100.0), outages.seen("/1", 200.0)] == [200, 503, 200]
    with pytest.raises(RuntimeError, match="of 1 have arrived"):
        outages.wait(1, 0.01)
    for kind in ("mail", "page", "hotline"):
        outages.seen(f"/{kind}", 101.0)
    outages.wait(1, 0.01)


def test_an_unknown_row_is_refused_and_a_row_that_fails_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_settings: Settings) -> list[table.Row]:
        raise RuntimeError("no server")

    monkeypatch.setattr(bench, "ROWS", {"good": lambda _settings: [table.Row("good", "s", 1.0)], "bad": fails})
    assert bench.main(["--quick", "good", "bad"]) == 1
    told = capsys.readouterr().out
    assert "not measured: no server" in told
    assert "good" in told
    with pytest.raises(SystemExit, match="2"):
        bench.main(["nonsense"])


def test_the_number_of_endpoints_and_the_hour_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []
    monkeypatch.setattr(bench, "ROWS", {"good": lambda settings: seen.append(settings) or []})
    assert bench.main(["--quick", "--hour", "--many", "2500", "good"]) == 0
    assert [(settings.many, settings.minutes) for settings in seen] == [(2500, 60.0)]


@pytest.mark.e2e
def test_the_program_is_measured_on_its_grid(tmp_path: Path) -> None:
    with servers.ours("http") as port:
        ground = calls.Ground(tmp_path, servers.Web(port, None, tmp_path / "none", "ours"), TINY)
        ours = calls.Ours(ground, {"api": program.endpoints(24, port)}, 24)
        assert ours() > 0
        assert "24 calls a second" in ours.note


def test_a_configuration_of_the_benchmarks_is_one_of_the_program(tmp_path: Path) -> None:
    from prober import config

    given = program.configuration({"api": program.endpoints(3, 9), "smtp": program.injections(2, 9)})
    path = tmp_path / "bench.yaml"
    path.write_text(json.dumps(given))
    assert len(config.load(path).settings.services["vendor"].channels.api) == 3
