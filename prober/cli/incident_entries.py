"""Steps of an incident that a person enters from the command line: told to the running program over its HTTP API."""

import argparse
import getpass
import json
import time
from typing import Any
from urllib.parse import quote

from prober import instants
from prober.cli import stored
from prober.errors import Exit, ProberError, UsageError
from prober.fields import split_host_port
from prober.settings import Settings

#: action: (the step as the API names it, what it is for)
STEPS = {
    "ack": ("ack", "on-call has it"),
    "note": ("note", "a note for the record"),
    "publish": ("publish", "words for everybody, on the public status pages"),
    "resolve": ("resolve", "customer and vendor agree that it is resolved"),
    "adopt": ("adopt", "a ticket that a person opened is the incident's"),
    "closed-by-vendor": ("closed_by_vendor", "the vendor has closed the ticket"),
    "reopen": ("reopen", "what was closed is not resolved"),
    "consent": ("consent", "mode ask: ticket and hotline may go out"),
    "decline": ("decline", "mode ask: they may not"),
    "confirm": ("confirm", "others, or the vendor's status page, confirm what we measure"),
    "unreached": ("unreached", "a call or page that was taken reached nobody; the next one is due"),
    "severity": ("severity", "the vendor has set the severity"),
    "intake": ("intake", "the hotline has taken the vital information"),
    "first-response": ("first_response", "the vendor has answered"),
    "call-back": ("call_back", "the vendor has called back"),
    "update": ("update", "the vendor has given an update"),
    "workaround": ("workaround", "a work-around was given"),
    "waiting-for-us": ("waiting_for_us", "the vendor waits for us"),
    "waiting-for-them": ("waiting_for_them", "we have answered"),
}
_TIMEOUT = 15.0  # seconds


class Mixed(argparse.ArgumentParser):
    """Takes the text after options too (`update ID --when -10m "they look"`): argparse gives it up once an option has come."""

    _within = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._within:  # as the one that mixes does itself
            return super().parse_known_args(args, namespace)
        self._within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._within = False


def add(actions: "argparse._SubParsersAction[Mixed]") -> None:
    """The actions' arguments."""
    for action, (kind, purpose) in STEPS.items():
        parser = actions.add_parser(action, help=purpose, description=f"Enter a step: {purpose}.")
        stored.takes_times(parser)
        parser.add_argument("incident", metavar="ID")
        parser.add_argument("text", nargs="?", default="", help="what is to be remembered with it")
        parser.add_argument("--by", default="", metavar="NAME", help="who says so (default: the login name)")
        parser.add_argument(
            "--when", default="", metavar="T", help="when it happened: ISO 8601, or -10m (default: now)"
        )
        if kind == "adopt":
            parser.add_argument("--ticket", required=True, metavar="N", help="the ticket's number")
        if kind == "unreached":
            parser.add_argument(
                "--value", required=True, metavar="KEY", help="the key of what was taken, as `show ID` has it beside it"
            )
        if kind == "publish":
            parser.add_argument(
                "--value", default="", choices=("investigating", "identified", "monitoring"), help="the progress"
            )
        if kind == "severity":
            parser.add_argument("--value", required=True, metavar="NAME", help="the severity's name in the pack")
        stored.add_config(parser, again=True)


def run(args: argparse.Namespace) -> int:
    """Tell the running program. Raises UsageError and ProberError for what keeps it from being taken."""
    settings = stored.configuration(args.config, stepping=True).settings
    kind, _ = STEPS[args.action]
    step = {"by": args.by or getpass.getuser(), "text": args.text}
    if getattr(args, "ticket", ""):
        step["ticket"] = args.ticket
    if getattr(args, "value", ""):
        step["value"] = _key(args.incident, args.value) if kind == "unreached" else args.value
    when = {"when": _when(args.when, time.time())} if args.when else {}
    incident = quote(args.incident, safe="", errors="replace")
    _post(settings, f"/api/incidents/{incident}/{kind}", {**step, **when})
    print(f"{args.incident}: {args.action} is entered")
    return Exit.OK


def _when(text: str, now: float) -> int:
    """When it happened, UTC seconds. Raises UsageError."""
    second = instants.parse(text, now, "--when")
    if second > now:
        raise UsageError(
            f"--when: {instants.show(second)} is still to come; give the time at which it happened, in UTC"
        )
    return second


def _key(incident: str, key: str) -> str:
    """An act's key in full; `show` leaves out the incident."""
    return key if key.startswith(f"{incident}/") else f"{incident}/{key}"


def _post(settings: Settings, path: str, step: dict[str, object]) -> None:
    import httpx

    if settings.web.token is None:
        raise UsageError(
            "steps are entered over HTTP: set web.token or web.token_file in the configuration, and reload"
        )
    host, port = split_host_port(settings.listen)
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = {
        "Authorization": f"Bearer {settings.web.token.get_secret_value()}",
        "Content-Type": "application/json",
    }
    said = json.dumps(step, ensure_ascii=False).encode("utf-8", "replace")  # a terminal may send what is no UTF-8
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
            answer = client.post(f"http://{where}{path}", content=said, headers=headers)
    except httpx.HTTPError as error:
        raise ProberError(
            f"the running program does not answer at {where} ({error}); is `prober run` running?"
        ) from None
    if answer.status_code == httpx.codes.OK:
        return
    try:
        why = str(answer.json()["error"])
    except (json.JSONDecodeError, KeyError, TypeError):
        why = answer.text.strip()
    raise ProberError(f"the step was not taken: {stored.harmless(why)}")
