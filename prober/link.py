"""The link between the two processes: one JSON object a line over a socket pair.

Measure never waits for serve: what does not fit into its send buffer is dropped if it is only a view, and sent again when
serve comes back if it is an act. The messages, by their `type`:

measure to serve
  setup      {raw, base, board, keys, listen, pid}: the configuration as read (with its secrets: the pair is private), the
             folder its paths are relative to, the board's path and keys ([service, channel, endpoint, kind]). First, and
             again after each reload; with `mailboxes`: {name: position}, how far each mailbox was read.
  second     {service, second, cells: {"": [verdict, reason, calls, {fault: n}], "api": [...], "smtp": [...]}}: a closed
             second; "" is the service's own.
  totals     {seconds: [[service, channel, verdict, n]...], durations: {"service\\x1fchannel": [buckets, sum]},
             lag: [buckets, sum], acts: [[kind, outcome, n]...], pending, oldest, store: {ok, queued, dropped}, beat,
             stalls, steps, open_calls}:
             counters since measure started, once a second (that they come is the heartbeat); `oldest` is the age of the oldest
             pending act in seconds. Buckets are counts (not cumulative) by DURATION_BUCKETS / LAG_BUCKETS, one more than
             there are bounds.
  incidents  {open: [{id, service, severity, phase, episode, conditions: [{condition, scope, onset}...], opened, onset,
             ticket, number, reference, clocks: [{name, state, due...}]}...]}: on every change. `conditions` are those that
             hold; `number` is the vendor's for the ticket, `reference` what the receiver called it (a Message-ID).
  act        {act: {...}, earlier: [{receiver, outcome, at}...]}: carry this out (fields of rules.acts.Act); sent again after
             serve restarts, then with the attempts on record.
  withdraw   {act}: no longer wanted.
  reloaded   {id, ok, errors: [text...]}: answer to a reload.
  entered    {id, ok, error}: answer to an entry.

serve to measure
  ready      {}: it serves.
  started    {act, receiver, at}: an attempt begins (UTC ns).
  attempt    {act, receiver, outcome, at, detail, reference, final}: fields of rules.acts.ActResult.
  reload     {id}
  entry      {id, incident, kind, by, text, ticket, value, when, via}: a step of a person's (fields of rules.incident.Entry).
  purge      {failures_before, minutes_before}: retention, UTC seconds.
  figures    {service, scope, span, start, columns: [[channel, endpoint]...], body}: minutes added up to an hour, or hours to a
             day (fields of prober.store.FigureRow, the body in base64), to be written down.
  certificate {service, channel, endpoint, not_after, subject, issuer, serial, checked}: a sweep's finding.
  reply      {mailbox, position: {validity, uid, at, seen}, reply: {...} or null}: a mail was read (fields of
             rules.replies.Reply), or several that concern nobody; and how far the mailbox is read with it.
  mailbox    {mailbox, reached, since}: it has been out of reach for long, since that UTC second; or it is in reach.
  vendor_status {service, incident, at, url, said: {kind, indicator, description, entries, components, confirms}}: the
             vendor's status page says something new; `incident` "" while none is open. `at`: UTC seconds.
"""

import json
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

#: Upper bounds of the buckets of call durations, seconds.
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
#: Upper bounds of the buckets of start lag (begin minus due), seconds.
LAG_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


def encode(message: Message) -> bytes:
    """One message as a line of JSON, newline included. Raises TypeError or ValueError for what is no JSON.

    Half a character (JSON from outside may hold one: "\\ud800") becomes a question mark: neither link nor store takes it.
    """
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class Decoder:
    """Turns received bytes into messages. Raises ValueError on a line that is no JSON object (a defect of ours)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if not isinstance(message, dict) or "type" not in message:
                raise ValueError("a message on the link is not an object with a type")
            yield message
