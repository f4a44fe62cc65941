"""The ends of calls: whose fault each was, and what it means to its second and to the calls that follow it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from prober import logs
from prober.measure.clock import NS, Clock, Grid
from prober.measure.figures import Figures
from prober.measure.flight import Flight
from prober.measure.lane import Lane
from prober.measure.listener import Listener
from prober.measure.ring import Slot
from prober.measure.suspicions import Suspicions
from prober.probes.call import Call
from rules import politeness, suspicion
from rules.faults import classify
from rules.machine import STALL_OVER
from rules.model import Fault, Finding, History, Observation, Stage, Trouble

log = logs.get("measure")

_OURS = Finding(Fault.OWN, "stalled")


class Judge:
    """Takes calls as they end (`ended`, `control_ended`, `broken`).

    `complete(service, second)` is called when nothing of a second is pending any more. The measuring loop keeps up to date:
    `beat` and `in_gap`, the newest heartbeat (monotonic ns) and whether it found that we had stood still; `awake_since`,
    when the machine was last woken; `controls`, whether any is configured.
    """

    def __init__(
        self,
        clock: Clock,
        grid: Grid,
        flight: Flight,
        figures: Figures,
        listener: Listener,
        complete: Callable[[str, int], None],
    ) -> None:
        self._clock = clock
        self._grid = grid
        self._flight = flight
        self._figures = figures
        self._listener = listener
        self._complete = complete
        self.suspicions = Suspicions(self._fail)
        self.controls = False
        self.beat = 0
        self.in_gap = False
        self.awake_since = 0

    def broken(self, call: Call, error: Exception) -> None:
        """An engine failed in a way it does not know: the call ends as our own fault, and nothing else suffers."""
        log.error("an engine is broken", exc_info=error)
        if call not in self._flight:  # it had told its end already
            return
        with suppress(Exception):  # it is broken: whether it can still let go of its socket is its own matter
            call.cancel()
        lane: Lane = call.owner
        call.ended = self._clock.monotonic()
        call.begun, call.begun_utc = call.begun or call.ended, call.begun_utc or self._grid.utc(self._clock.monotonic())
        call.healthy = False
        call.observation = Observation(
            lane.kind,
            Stage.RESOLVE,
            Trouble.ENGINE,
            detail=type(error).__name__,
            begun=call.begun_utc,
            ended=call.begun_utc + call.ended - call.begun,
        )
        call.done(call)

    def ended(self, call: Call) -> None:
        lane: Lane = call.owner
        self._flight.remove(call)
        lane.open -= 1
        if call.healthy:
            if lane.wait_until and call.begun_utc >= lane.wait_until:
                lane.wait_until = lane.back_off = 0
            if call.redirected or not lane.history.passed:
                self._remember_success(lane, call)
            self._succeed(lane, call)
            return
        observation = call.observation
        assert observation is not None
        finding = classify(observation, lane.history, lane.vendor)
        self._remember(lane, observation)
        if finding.fault is Fault.NONE:
            self._succeed(lane, call)
        elif self._ours(call):
            self._fail(lane, call, _OURS)
        elif not finding.suspected:
            self._fail(lane, call, finding)
        elif not self.controls:
            self._fail(lane, call, suspicion.resolve(finding, None))
        else:
            instants = suspicion.instants(observation.trouble, call.begun, call.ended)
            self.suspicions.suspect(lane, call, finding, instants, self._clock.monotonic())

    def _ours(self, call: Call) -> bool:
        """Whether a failure was first seen within a gap of ours, or the call was open while the machine was suspended.

        A call that began after the gap has not been in it, even if it failed within the same heartbeat.
        """
        return (
            (self.in_gap and call.begun < self.beat)
            or call.ended - self.beat > STALL_OVER
            or call.begun < self.awake_since
        )

    def _remember_success(self, lane: Lane, call: Call) -> None:
        history = lane.history
        lane.history = History(lane.tls or history.tls_worked, True, call.redirected or history.redirected)

    def _remember(self, lane: Lane, observation: Observation) -> None:
        """What later calls of this endpoint may be judged by."""
        history = lane.history
        if observation.verified and observation.trouble is None:
            # Only a reply proves it: TLS 1.3 stands for us before the server has looked at our certificate.
            history = replace(history, tls_worked=True)
        looped = observation.trouble is Trouble.REDIRECT_LOOP and not history.passed  # a new loop is no habit of old
        if looped or 300 <= observation.code < 400:
            history = replace(history, redirected=True)
        lane.history = history

    def _succeed(self, lane: Lane, call: Call) -> None:
        slot: Slot = call.slot
        slot.ok[lane.index] += 1
        if lane.slow and call.ended - call.begun > lane.slow:
            slot.slow[lane.key.channel] = slot.slow.get(lane.key.channel, 0) + 1
        lane.failing = 0
        self._conclude(lane, call, Fault.NONE)

    def _fail(self, lane: Lane, call: Call, finding: Finding) -> None:
        slot: Slot = call.slot
        slot.fail(lane.index, finding.fault, finding.reason)
        lane.failing += 1
        if "throttled" in finding.tags and call.observation is not None:
            self._wait(lane, call, call.observation)
        self._figures.failed(lane, call, finding)
        self._listener.failed(lane, call, finding)
        self._conclude(lane, call, finding.fault)

    def _wait(self, lane: Lane, call: Call, observation: Observation) -> None:
        """Leave the endpoint alone for a while. Replies to calls of one volley are one reply: they add no back-off."""
        utc = self._grid.utc(self._clock.monotonic())
        seconds, back_off = politeness.wait(observation.headers, lane.back_off, utc // NS)
        if call.begun_utc >= lane.wait_until:
            lane.back_off = back_off
            lane.wait_until = utc + seconds * NS
        elif back_off == lane.back_off:  # a Retry-After
            lane.wait_until = max(lane.wait_until, utc + seconds * NS)

    def _conclude(self, lane: Lane, call: Call, fault: Fault) -> None:
        """The call's fault is settled: count it, and say so when its second waited for nothing else."""
        self._figures.show(lane, call, fault)
        slot: Slot = call.slot
        slot.pending -= 1
        if not slot.pending:
            self._complete(lane.key.service, slot.second)

    def control_ended(self, call: Call) -> None:
        lane: Lane = call.owner
        self._flight.remove(call)
        lane.open -= 1
        if call.healthy:
            if lane.failing:
                log.info("control answers again", extra=logs.fields(control=lane.key.endpoint, failed=lane.failing))
            lane.failing = 0
            self.suspicions.succeeded(call.ended, self._clock.monotonic())
            return
        lane.failing += 1
        if lane.failing == 1 and call.observation is not None:
            seen = call.observation
            log.warning(
                "control failed",
                extra=logs.fields(
                    control=lane.key.endpoint, stage=seen.stage, trouble=seen.trouble or seen.unmet, detail=seen.detail
                ),
            )
