"""Telephone calls through Twilio: what is said, what keys do, what became of a call, and that a lost answer rings once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from deliver_acts import FACTS, act
from fake_api import GIVES_UP, HALF, LOST, SLOW, Fake, running
from fake_twilio import ACCOUNT, FakeTwilio
from http_desk import answer

from prober.deliver import Arrival, Delivered, Reached
from prober.deliver.twilio import Twilio
from prober.deliver.twiml import TWIML, signature, spoken
from prober.receivers import TwilioReceiver
from rules.acts import Act, ActKind, Outcome

NAME = "on_call.twilio-1"
PAGE = act(ActKind.PAGE, NAME)
HOTLINE = act(ActKind.HOTLINE, NAME, facts={**FACTS, "ticket_status": "accepted"})
TO, FROM, BRIDGE = "+493012345678", "+15550100", "+15550199"
TOKEN = "auth-token-0123456789"


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(whole())


def twilio(url: str, timeout: float = 10.0, now: float = 1_795_341_600.0, **more: Any) -> Twilio:
    settings = {"url": url, "account_sid": ACCOUNT, "auth_token": TOKEN, "from": "+1 555-0100", "to": TO, **more}
    return Twilio(NAME, TwilioReceiver.model_validate(settings), now=lambda: now, timeout=timeout)


async def give(delivery: Twilio, act: Act = PAGE) -> Delivered:
    return await delivery.deliver(act, act.key(NAME))


async def look(delivery: Twilio, reference: str, act: Act = PAGE) -> Arrival:
    return await delivery.follow(act, act.key(NAME), reference)


def form(fake: Fake) -> dict[str, str]:
    """What the last call was asked for with."""
    request = next(r for r in reversed(fake.requests) if r.method == "POST")
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def twiml(fake: Fake) -> ET.Element:
    return ET.fromstring(form(fake)["Twiml"])  # noqa: S314 - our own


def tags(element: ET.Element) -> list[str]:
    return [child.tag for child in element]


# what is said


def test_a_page_rings_reads_the_script_twice_and_asks_for_a_person() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivered = await give(twilio(url, language="en-GB", voice="Polly.Amy", ring="40s"))
        assert delivered == Delivered(Outcome.ACCEPTED, f"127.0.0.1 calls {TO}", fake.calls[0]["sid"])
        asked = form(fake)
        assert {name: asked[name] for name in ("To", "From", "Timeout", "MachineDetection")} == {
            "To": TO,
            "From": FROM,
            "Timeout": "40",
            "MachineDetection": "Enable",
        }
        said = twiml(fake)
        assert tags(said) == ["Say", "Pause", "Say"]
        assert said[0].attrib == {"language": "en-GB", "voice": "Polly.Amy"}
        assert said[0].text == said[2].text == spoken(PAGE)
        assert fake.requests[0].headers["authorization"].startswith("Basic ")

    within(test)


def test_a_page_says_what_is_needed_away_from_any_screen() -> None:
    assert spoken(act(ActKind.PAGE, NAME, facts={**FACTS, "ticket": "4711"})) == (
        "This is prober, with a page for on-call. Critical Issue: Bird Email: persistent Unavailability since"
        " 2026-11-22 09:59:00 UTC (59 of 60 measured seconds). Whose fault it is: the vendor's: every call of a channel failed"
        " in these seconds by a fault of the server's. The ticket is 4711. The vendor's hotline is +1 555 0100."
    )


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"ticket_status": "accepted"}, "The ticket has been opened."),
        ({"ticket_status": "pending", "ticket_pending": True}, "The ticket has been written and is still on its way."),
        ({"ticket_status": "none"}, "No ticket could be opened in writing. Please open one from this call."),
    ],
)
def test_a_call_to_the_hotline_says_how_the_ticket_stands_and_whom_to_call_back(
    facts: dict[str, Any], sentence: str
) -> None:
    said = spoken(act(ActKind.HOTLINE, NAME, facts={**FACTS, **facts}))
    assert said.startswith("This is an automatic call from the operations of Example GmbH. Critical Issue: Bird Email")
    assert sentence in said
    assert said.endswith("Please call back Operations at +49 30 1234567 or write to oncall@example.com.")


def test_a_call_to_the_hotline_takes_its_menu_for_no_answering_machine() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            await give(twilio(url), HOTLINE)
        assert "MachineDetection" not in form(fake)

    within(test)


def test_without_a_callback_who_stays_on_the_line_is_joined_to_the_hotline() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            await give(twilio(url, bridge=BRIDGE))
        said = twiml(fake)
        assert tags(said) == ["Say", "Pause", "Say", "Say", "Pause", "Dial"]
        assert said[5].text == BRIDGE
        assert said[5].attrib == {"callerId": FROM, "timeout": "30"}

    within(test)


def test_with_a_callback_keys_are_asked_for_and_go_there() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            await give(twilio(url, bridge=BRIDGE, callback="https://prober.example.com/base/"))
        gather, farewell = twiml(fake)
        action = urlsplit(gather.attrib.pop("action"))
        assert f"{action.scheme}://{action.netloc}{action.path}" == "https://prober.example.com/base/callbacks/twilio"
        assert parse_qs(action.query) == {"receiver": [NAME], "incident": [PAGE.incident]}
        assert gather.attrib == {"numDigits": "1", "timeout": "10", "method": "POST"}
        assert gather[1].text == "Press 1 to acknowledge. Press 2 to acknowledge and be joined to the hotline."
        assert farewell.text == "No key was pressed. Good bye."

    within(test)


def test_a_text_from_outside_is_no_markup_and_a_long_one_is_cut_to_what_twilio_takes() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        odd = act(ActKind.PAGE, NAME, facts={**FACTS, "title": "</Say><Dial>+1900</Dial>" + "ä&" * 2_000})
        async with running(fake) as url:
            delivered = await give(twilio(url, bridge=BRIDGE, callback="https://prober.example.com"), odd)
        assert delivered.outcome is Outcome.ACCEPTED
        assert len(form(fake)["Twiml"]) <= TWIML
        assert [element.text for element in twiml(fake).iter("Dial")] == []

    within(test)


def test_what_markup_makes_longer_is_cut_too_and_the_call_is_made() -> None:
    """The words of a page may be a vendor's, with markup in them: refused, nobody would have been called."""
    page = act(ActKind.PAGE, NAME, facts={**FACTS, "title": "&<>" * 2_000})

    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivered = await give(twilio(url, bridge=BRIDGE), page)
        assert delivered.outcome is Outcome.ACCEPTED
        assert len(form(fake)["Twiml"]) <= TWIML
        assert (twiml(fake)[0].text or "").endswith("...")

    within(test)


def test_a_call_that_would_say_more_than_twilio_takes_is_refused() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        odd = act(ActKind.PAGE, NAME, facts={**FACTS, "title": "&" * 3_000, "severity_title": "&" * 3_000})
        settings: dict[str, Any] = {"callback": "https://prober.example.com/" + "x" * 2_000, "bridge": BRIDGE}
        async with running(fake) as url:
            delivered = await give(twilio(url, **settings), odd)
        assert delivered == Delivered(Outcome.PERMANENT, "the call's script has more than 4000 characters")
        assert fake.calls == []

    within(test)


def test_nobody_is_called_to_hear_that_it_is_over() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivered = await give(twilio(url), act(ActKind.PAGE_RESOLVE, NAME, after=PAGE.id))
        assert delivered.outcome is Outcome.ACCEPTED
        assert fake.requests == []

    within(test)


# what goes wrong


@pytest.mark.parametrize("fault", [LOST, HALF, SLOW])
def test_a_call_whose_answer_was_lost_is_not_made_again(fault: str) -> None:
    async def test() -> None:
        fake = FakeTwilio(faults=[fault])
        async with running(fake) as url:
            delivery = twilio(url, timeout=GIVES_UP if fault == SLOW else 10.0)
            first, again = await give(delivery), await give(delivery)
        assert first.outcome is Outcome.UNKNOWN
        assert again == Delivered(Outcome.ACCEPTED, f"127.0.0.1 calls {TO}", fake.calls[0]["sid"])
        assert len(fake.calls) == 1

    within(test)


@pytest.mark.parametrize(("earlier", "status"), [(3_600, "completed"), (0, "failed")])
def test_a_call_of_before_or_one_that_failed_is_not_the_lost_one(earlier: int, status: str) -> None:
    async def test() -> None:
        fake = FakeTwilio(faults=[b"HTTP/1.1 2"])
        fake.now -= earlier
        fake.call(TO, status=status)
        fake.call("+1999", status="queued")
        fake.now += earlier
        async with running(fake) as url:
            delivery = twilio(url)
            first, again = await give(delivery), await give(delivery)
        assert (first.outcome, again.outcome) == (Outcome.UNKNOWN, Outcome.ACCEPTED)
        assert again.reference == fake.calls[2]["sid"]

    within(test)


@pytest.mark.parametrize("date", ["no date", None, f"Sun, 22 Nov {'9' * 30} 10:00:00 +0000"])
def test_a_call_without_a_date_is_not_the_lost_one(date: str | None) -> None:
    async def test() -> None:
        fake = FakeTwilio(faults=[b"HTTP/1.1 2"])
        fake.call(TO)["date_created"] = date
        async with running(fake) as url:
            delivery = twilio(url)
            await give(delivery)
            await give(delivery)
        assert len(fake.calls) == 2

    within(test)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answer("400 Bad Request", b'{"code": 21211, "message": "Invalid To"}'), Outcome.PERMANENT),
        (answer("401 Unauthorized", TOKEN.encode()), Outcome.PERMANENT),
        (answer("429 Too Many Requests", headers={"Retry-After": "1"}), Outcome.TRANSIENT),
        (answer("503 Service Unavailable"), Outcome.TRANSIENT),
        (answer("201 Created", b"[]"), Outcome.UNKNOWN),
    ],
)
def test_what_twilio_answers_says_whether_trying_again_can_help(reply: bytes, outcome: Outcome) -> None:
    async def test() -> None:
        fake = FakeTwilio(faults=[reply])
        async with running(fake) as url:
            delivered = await give(twilio(url))
        assert delivered.outcome is outcome
        assert TOKEN not in delivered.detail

    within(test)


# what became of a call


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress"])
def test_a_call_that_goes_on_is_looked_at_again(status: str) -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url)
            delivered = await give(delivery)
            fake.ends(status)
            arrival = await look(delivery, delivered.reference)
        assert arrival == Arrival(Reached.WAITING, f"{TO}: {status}", again=5.0)

    within(test)


@pytest.mark.parametrize("by", [None, "human", "unknown"])
def test_a_call_that_was_answered_is_delivered(by: str | None) -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url)
            delivered = await give(delivery)
            fake.ends("completed", 42, by)
            arrival = await look(delivery, delivered.reference)
        assert arrival == Arrival(Reached.DELIVERED, f"{TO} answered, 42 s")

    within(test)


@pytest.mark.parametrize(
    ("hotline", "words"),
    [
        ("completed", ", joined to the hotline"),
        ("busy", ", the hotline: busy"),
        ("", ", not joined to the hotline"),
    ],
)
def test_what_became_of_the_way_to_the_hotline_is_told(hotline: str, words: str) -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url, bridge=BRIDGE)
            delivered = await give(delivery)
            fake.ends("completed", 42, "human")
            if hotline:
                fake.call(BRIDGE, parent=delivered.reference, status=hotline)
            arrival = await look(delivery, delivered.reference)
        assert arrival == Arrival(Reached.DELIVERED, f"{TO} answered, 42 s{words}")

    within(test)


@pytest.mark.parametrize(
    ("status", "by", "why"),
    [
        ("busy", None, "busy"),
        ("no-answer", None, "no-answer"),
        ("failed", None, "failed"),
        ("canceled", None, "canceled"),
        ("completed", "machine_start", "an answering machine"),
        ("completed", "fax", "an answering machine"),
        ("something new", None, "its end is not known"),
    ],
)
def test_a_call_that_reached_nobody_is_made_again_and_given_up_in_the_end(
    status: str, by: str | None, why: str
) -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url, redials=1)
            delivered = await give(delivery)
            fake.ends(status, 0, by)
            again = await look(delivery, delivered.reference)
            fake.ends(status, 0, by)
            over = await look(delivery, again.reference)
        sid = fake.calls[1]["sid"]
        assert again == Arrival(Reached.WAITING, f"{TO}: {why}; called again", reference=sid, again=5.0)
        assert over == Arrival(Reached.FAILED, f"{TO}: {why}; called 2 times")

    within(test)


def test_without_redials_a_call_is_made_once() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url, redials=0)
            delivered = await give(delivery)
            fake.ends("busy")
            arrival = await look(delivery, delivered.reference)
        assert arrival == Arrival(Reached.FAILED, f"{TO}: busy; called once")

    within(test)


@pytest.mark.parametrize(
    ("reply", "reached", "again"),
    [
        (answer("503 Service Unavailable"), Reached.WAITING, 5.0),
        (answer("400 Bad Request"), Reached.FAILED, 0.0),
    ],
)
def test_a_call_that_cannot_be_made_again_is_told(reply: bytes, reached: Reached, again: float) -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url)
            delivered = await give(delivery)
            fake.ends("busy")
            fake.faults = [reply]
            arrival = await look(delivery, delivered.reference)
        assert (arrival.reached, arrival.again) == (reached, again)
        assert arrival.detail.startswith(f"{TO}: busy; calling again failed: 127.0.0.1 answered")

    within(test)


@pytest.mark.parametrize("fault", [answer("429 Too Many Requests", headers={"Retry-After": "7"}), LOST])
def test_a_call_that_could_not_be_made_again_at_once_does_not_count_as_made(fault: bytes | str) -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url, redials=1)
            delivered = await give(delivery)
            fake.ends("no-answer")
            fake.faults = [fault]
            waits = await look(delivery, delivered.reference)
            rings = await look(delivery, delivered.reference)
            fake.ends("completed", 42, "human")
            arrival = await look(delivery, rings.reference)
        assert (waits.reached, waits.again) == (Reached.WAITING, 5.0 if fault == LOST else 7.0)
        assert rings.reference == fake.calls[1]["sid"]
        assert arrival.reached is Reached.DELIVERED
        assert len(fake.calls) == 2

    within(test)


def test_a_call_that_cannot_be_made_again_for_long_has_reached_nobody() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url)
            delivered = await give(delivery)
            fake.ends("busy")
            fake.faults = [answer("503 Service Unavailable")] * 7
            seen = [(await look(delivery, delivered.reference)).reached for _ in range(7)]
        assert seen == [Reached.WAITING] * 6 + [Reached.FAILED]

    within(test)


class Refuses(Fake):
    status = "500 Internal Server Error"

    def handle(self, request: Any, path: str, query: dict[str, str]) -> tuple[str, Any]:
        return self.status, {}


@pytest.mark.parametrize(
    ("status", "reached", "again"),
    [("500 Internal Server Error", Reached.WAITING, 5.0), ("404 Not Found", Reached.FAILED, 0.0)],
)
def test_a_look_that_fails_is_repeated_where_that_can_help(status: str, reached: Reached, again: float) -> None:
    async def test() -> None:
        fake = Refuses()
        fake.status = status
        async with running(fake) as url:
            arrival = await look(twilio(url), "CA1")
        assert (arrival.reached, arrival.again) == (reached, again)

    within(test)


def test_what_is_known_of_calls_is_bounded() -> None:
    async def test() -> None:
        fake = FakeTwilio()
        async with running(fake) as url:
            delivery = twilio(url)
            for n in range(1_100):
                delivery._of(str(n))
        assert len(delivery._known) == 1_000

    within(test)


def test_the_signature_is_the_one_of_twilios_example() -> None:
    """The request of Twilio's documentation (Security, "Validating Signatures from Twilio")."""
    parameters = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, parameters.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
