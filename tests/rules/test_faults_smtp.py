"""The table "SMTP" of classification.md, row by row."""

from dataclasses import replace

import pytest

from rules.faults import classify
from rules.faults.smtp import IDLE_ALLOWED, MESSAGES_ALLOWED
from rules.model import Fault, Finding, History, Kind, Observation, Stage, Trouble

I, T, O = Fault.SERVER_ERROR, Fault.SERVER_TIMEOUT, Fault.OTHER  # noqa: E741 - the document's letters
PASSED = History(passed=True)
STAGES = (
    Stage.BANNER,
    Stage.EHLO,
    Stage.STARTTLS,
    Stage.AUTH,
    Stage.MAIL,
    Stage.RCPT,
    Stage.DATA,
    Stage.DOT,
)
AT_ANY_STAGE = pytest.mark.parametrize("stage", STAGES)
UNCONFIRMED = ("accept_unconfirmed",)


def reply(stage: Stage, code: int, enhanced: str = "", text: str = "", **facts: object) -> Observation:
    """A whole reply that stopped the dialogue."""
    seen = Observation(Kind.SMTP, stage, unmet="reply", code=code, enhanced=enhanced, text=text)
    return replace(seen, **facts)  # type: ignore[arg-type]  # fields by name


def broken(stage: Stage, trouble: Trouble, **facts: object) -> Observation:
    """A dialogue that no whole reply ended."""
    return replace(Observation(Kind.SMTP, stage, trouble), **facts)  # type: ignore[arg-type]  # fields by name


def suspected(fault: Fault, reason: str, *tags: str) -> Finding:
    return Finding(fault, reason, suspected=True, tags=tags)


def test_an_injection_that_was_taken_is_ok() -> None:
    assert classify(Observation(Kind.SMTP, Stage.DONE, code=250)) == Finding(Fault.NONE, "ok")


@pytest.mark.parametrize("trouble", [Trouble.CLOSED, Trouble.TIMEOUT, Trouble.RESET, Trouble.MALFORMED])
def test_after_the_250_nothing_can_fail_the_call(trouble: Trouble) -> None:
    assert classify(broken(Stage.DONE, trouble)) == Finding(Fault.NONE, "ok")
    assert classify(reply(Stage.DONE, 421)) == Finding(Fault.NONE, "ok")


# Silence and drops


@AT_ANY_STAGE
def test_silence_at_any_stage_is_a_suspected_time_out(stage: Stage) -> None:
    tags = UNCONFIRMED if stage is Stage.DOT else ()
    assert classify(broken(stage, Trouble.TIMEOUT)) == suspected(T, f"{stage}_timeout", *tags)


@AT_ANY_STAGE
@pytest.mark.parametrize("trouble", [Trouble.CLOSED, Trouble.RESET])
def test_a_drop_without_a_reply_at_any_stage_is_a_suspected_error(stage: Stage, trouble: Trouble) -> None:
    tags = UNCONFIRMED if stage is Stage.DOT else ()
    assert classify(broken(stage, trouble)) == suspected(I, f"{stage}_dropped", *tags)


def test_a_drop_after_a_minute_of_idling_is_other() -> None:
    idle = broken(Stage.MAIL, Trouble.CLOSED, fresh=False, received=1, idle=IDLE_ALLOWED)
    assert classify(idle) == Finding(O, "dropped_idle")
    assert classify(replace(idle, idle=IDLE_ALLOWED - 1)) == suspected(I, "mail_dropped")


def test_a_drop_past_100_messages_is_other() -> None:
    many = broken(Stage.RCPT, Trouble.RESET, fresh=False, received=1, messages=MESSAGES_ALLOWED)
    assert classify(many) == Finding(O, "dropped_after_many")
    assert classify(replace(many, messages=MESSAGES_ALLOWED - 1)) == suspected(I, "rcpt_dropped")


def test_the_figures_are_the_documents() -> None:
    assert (IDLE_ALLOWED, MESSAGES_ALLOWED) == (60 * 10**9, 100)


def test_an_excused_drop_after_the_dot_still_leaves_the_message_unconfirmed() -> None:
    seen = broken(Stage.DOT, Trouble.CLOSED, fresh=False, received=1, messages=MESSAGES_ALLOWED)
    assert classify(seen) == Finding(O, "dropped_after_many", tags=UNCONFIRMED)


def test_a_kept_connection_without_a_sign_of_life_proves_nothing() -> None:
    assert classify(broken(Stage.MAIL, Trouble.CLOSED, fresh=False)) == Finding(O, "reset_reused")
    assert classify(broken(Stage.MAIL, Trouble.TIMEOUT, fresh=False)) == Finding(O, "timeout_reused")


def test_a_kept_connection_that_answered_in_this_call_counts() -> None:
    assert classify(broken(Stage.RCPT, Trouble.TIMEOUT, fresh=False, received=14)) == suspected(T, "rcpt_timeout")


# Reply codes without an enhanced code

CODES: dict[str, tuple[Stage, int, Fault]] = {
    "450 at RCPT": (Stage.RCPT, 450, O),
    "450 at the dot": (Stage.DOT, 450, O),
    "451 at MAIL": (Stage.MAIL, 451, I),
    "451 at the dot": (Stage.DOT, 451, I),
    "452 at MAIL: storage": (Stage.MAIL, 452, I),
    "452 at the dot: storage": (Stage.DOT, 452, I),
    "452 at RCPT: too many recipients": (Stage.RCPT, 452, O),
    "454 at STARTTLS": (Stage.STARTTLS, 454, I),
    "454 at AUTH": (Stage.AUTH, 454, I),
    "454 elsewhere": (Stage.MAIL, 454, O),
    "455": (Stage.MAIL, 455, O),
    "500 to an extension": (Stage.AUTH, 500, O),
    "501": (Stage.MAIL, 501, O),
    "502": (Stage.EHLO, 502, O),
    "503": (Stage.DATA, 503, O),
    "504": (Stage.AUTH, 504, O),
    "530": (Stage.MAIL, 530, O),
    "534": (Stage.AUTH, 534, O),
    "535": (Stage.AUTH, 535, O),
    "538": (Stage.AUTH, 538, O),
    "550": (Stage.RCPT, 550, O),
    "551": (Stage.RCPT, 551, O),
    "552": (Stage.DOT, 552, O),
    "553": (Stage.MAIL, 553, O),
    "555": (Stage.MAIL, 555, O),
    "556": (Stage.RCPT, 556, O),
    "554 at DATA": (Stage.DATA, 554, O),
    "554 at the dot": (Stage.DOT, 554, O),
    "an unlisted 4yz": (Stage.MAIL, 432, O),
    "an unlisted 5yz": (Stage.BANNER, 521, O),
}


@pytest.mark.parametrize(("stage", "code", "fault"), CODES.values(), ids=CODES)
def test_a_reply_code_says_whose_fault_it_is(stage: Stage, code: int, fault: Fault) -> None:
    assert classify(reply(stage, code)) == Finding(fault, f"smtp_reply_{code}")


@AT_ANY_STAGE
def test_421_at_any_stage_is_the_servers(stage: Stage) -> None:
    assert classify(reply(stage, 421)) == Finding(I, "smtp_reply_421")


def test_455_is_suspected_if_the_same_input_passed_before() -> None:
    assert classify(reply(Stage.MAIL, 455), PASSED) == suspected(I, "smtp_reply_455")


@pytest.mark.parametrize("stage", [Stage.EHLO, Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_500_to_a_required_command_is_suspected(stage: Stage) -> None:
    assert classify(reply(stage, 500)) == suspected(I, "smtp_reply_500")


def test_554_as_the_banner_is_suspected() -> None:
    assert classify(reply(Stage.BANNER, 554, text="No SMTP service here")) == suspected(I, "smtp_reply_554")


# Enhanced codes

ENHANCED: dict[str, tuple[Stage, int, str, Finding]] = {
    "421 with x.7.x": (Stage.MAIL, 421, "4.7.0", Finding(O, "smtp_policy")),
    "451 with x.7.x": (Stage.RCPT, 451, "4.7.1", Finding(O, "smtp_policy")),
    "454 with x.7.x elsewhere": (Stage.MAIL, 454, "4.7.0", Finding(O, "smtp_policy")),
    "454 4.7.0 at STARTTLS": (Stage.STARTTLS, 454, "4.7.0", Finding(I, "smtp_reply_454")),
    "454 4.7.0 at AUTH": (Stage.AUTH, 454, "4.7.0", Finding(I, "smtp_reply_454")),
    "454 4.7.1 at AUTH": (Stage.AUTH, 454, "4.7.1", Finding(O, "smtp_policy")),
    "421 4.4.2 in a fresh dialogue": (Stage.MAIL, 421, "4.4.2", Finding(I, "smtp_reply_421")),
    "452 4.3.1 at RCPT": (Stage.RCPT, 452, "4.3.1", Finding(I, "smtp_reply_452")),
    "452 4.5.3 at RCPT": (Stage.RCPT, 452, "4.5.3", Finding(O, "smtp_protocol")),
    "450 4.2.0": (Stage.RCPT, 450, "4.2.0", Finding(O, "smtp_mailbox")),
    "450 4.3.2": (Stage.RCPT, 450, "4.3.2", Finding(I, "smtp_reply_450", tags=("maintenance",))),
    "421 4.3.2": (Stage.BANNER, 421, "4.3.2", Finding(I, "smtp_reply_421", tags=("maintenance",))),
    "451 4.3.0": (Stage.DOT, 451, "4.3.0", Finding(I, "smtp_reply_451")),
    "451 4.4.1": (Stage.DOT, 451, "4.4.1", Finding(I, "smtp_reply_451")),
    "452 4.4.5": (Stage.RCPT, 452, "4.4.5", Finding(I, "smtp_reply_452")),
    "451 4.1.8": (Stage.MAIL, 451, "4.1.8", Finding(O, "smtp_address")),
    "451 4.6.0": (Stage.DOT, 451, "4.6.0", Finding(O, "smtp_content")),
    "451 4.9.9, which nobody lists": (Stage.DOT, 451, "4.9.9", Finding(I, "smtp_reply_451")),
    "451 with an enhanced code that is none": (Stage.DOT, 451, "4", Finding(I, "smtp_reply_451")),
    "500 5.5.1 to a required command": (Stage.MAIL, 500, "5.5.1", Finding(O, "smtp_protocol")),
    "530 5.5.1": (Stage.MAIL, 530, "5.5.1", Finding(O, "smtp_protocol")),
    "530 5.7.0": (Stage.MAIL, 530, "5.7.0", Finding(O, "smtp_reply_530")),
    "534 5.7.9": (Stage.AUTH, 534, "5.7.9", Finding(O, "smtp_reply_534")),
    "535 5.7.8": (Stage.AUTH, 535, "5.7.8", Finding(O, "smtp_reply_535")),
    "538 5.7.11": (Stage.AUTH, 538, "5.7.11", Finding(O, "smtp_reply_538")),
    "550 5.7.8": (Stage.MAIL, 550, "5.7.8", Finding(O, "smtp_policy")),
    "550 5.7.1 unconfigured sending domain": (Stage.DOT, 550, "5.7.1", Finding(O, "smtp_policy")),
    "550 5.6.0 JSON parsing error": (Stage.DOT, 550, "5.6.0", Finding(O, "smtp_content")),
    "550 5.1.1": (Stage.RCPT, 550, "5.1.1", Finding(O, "smtp_address")),
    "552 5.3.4": (Stage.MAIL, 552, "5.3.4", Finding(O, "smtp_size")),
    "552 5.2.2": (Stage.RCPT, 552, "5.2.2", Finding(O, "smtp_mailbox")),
    "554 5.3.0 at DATA": (Stage.DATA, 554, "5.3.0", Finding(I, "smtp_reply_554")),
    "554 5.3.0 at the dot": (Stage.DOT, 554, "5.3.0", Finding(I, "smtp_reply_554")),
    "554 5.3.0 at MAIL": (Stage.MAIL, 554, "5.3.0", Finding(O, "smtp_reply_554")),
    "554 5.7.1 as the banner: our address is blocked": (Stage.BANNER, 554, "5.7.1", Finding(O, "smtp_policy")),
    "4.7.28 mail flood": (Stage.DOT, 450, "4.7.28", Finding(O, "rate_limited", tags=("throttled",))),
}


@pytest.mark.parametrize(("stage", "code", "enhanced", "finding"), ENHANCED.values(), ids=ENHANCED)
def test_an_enhanced_code_outranks_the_reply_code(stage: Stage, code: int, enhanced: str, finding: Finding) -> None:
    assert classify(reply(stage, code, enhanced)) == finding


def test_421_4_4_2_on_an_idle_connection_is_the_servers_timer() -> None:
    seen = reply(Stage.MAIL, 421, "4.4.2", fresh=False, idle=1)
    assert classify(seen) == Finding(O, "dropped_idle")


@pytest.mark.parametrize(("code", "enhanced"), [(421, "4.3.0"), (421, "4.4.1"), (421, ""), (451, "4.4.2")])
def test_no_other_reply_on_an_idle_connection_is_its_timer(code: int, enhanced: str) -> None:
    seen = reply(Stage.MAIL, code, enhanced, fresh=False, idle=1)
    assert classify(seen) == Finding(I, f"smtp_reply_{code}")


# Texts

THROTTLED = Finding(O, "rate_limited", tags=("throttled",))


@pytest.mark.parametrize("code", [421, 450, 451, 452, 454, 500, 550, 554])
@pytest.mark.parametrize(
    "text",
    [
        "Throttling failure: Daily message quota exceeded",
        "Rate limit exceeded",
        "too fast, sending rate exceeded",
        "RATE-LIMITED",
        "ratelimit",
        "message rates too high",
        "Sending limits reached",
        "account overlimit",
        "RecipientLimit reached",
        "maxMsgRate",
        "RateExceeded",
        "Greylisted, please try again",
        "grey listing in action",
        "graylisted",
        "you are being throttled",
    ],
)
def test_a_text_of_a_limit_outranks_every_code(code: int, text: str) -> None:
    assert classify(reply(Stage.BANNER, code, "4.3.0", text)) == THROTTLED


@pytest.mark.parametrize(
    "text",
    [
        "failed to generate a queue id",
        "corporate mail is down",
        "moderate load",
        "unlimited retries",
        "bad delimiter in queue file",
        "quotation marks broken in our database",
        "greyhound.example.net has a local error",
        "no rating available",
        "operator's pirate database",
        "delimited file broken",
    ],
)
def test_words_that_merely_contain_such_a_word_do_not_count(text: str) -> None:
    assert classify(reply(Stage.DOT, 451, "", text)) == Finding(I, "smtp_reply_451")


def test_a_limit_in_a_reply_that_is_no_failure_is_not_looked_at() -> None:
    assert classify(reply(Stage.DATA, 250, text="ok, rate limit 100/s")) == Finding(O, "smtp_reply_250")


# What is not SMTP


@pytest.mark.parametrize(
    ("stage", "code"), [(Stage.DATA, 250), (Stage.MAIL, 354), (Stage.BANNER, 299), (Stage.DOT, 399)]
)
def test_a_code_that_is_not_due_counts_only_from_a_verified_server(stage: Stage, code: int) -> None:
    tags = UNCONFIRMED if stage is Stage.DOT else ()
    assert classify(reply(stage, code)) == Finding(O, f"smtp_reply_{code}", tags=tags)
    assert classify(reply(stage, code, verified=True)) == Finding(I, f"smtp_reply_{code}", tags=tags)


@pytest.mark.parametrize("code", [400, 599])
def test_an_unlisted_refusal_is_no_broken_protocol(code: int) -> None:
    assert classify(reply(Stage.DOT, code, verified=True)) == Finding(O, f"smtp_reply_{code}")


@pytest.mark.parametrize("code", [0, 150, 199, 600, 999])
def test_a_code_that_is_none_is_malformed(code: int) -> None:
    assert classify(reply(Stage.MAIL, code)) == Finding(O, "malformed_smtp")


@pytest.mark.parametrize(
    ("trouble", "reason"), [(Trouble.MALFORMED, "malformed_smtp"), (Trouble.TOO_LARGE, "reply_too_large")]
)
def test_bytes_that_are_no_reply_count_only_from_a_verified_server(trouble: Trouble, reason: str) -> None:
    assert classify(broken(Stage.EHLO, trouble)) == Finding(O, reason)
    assert classify(broken(Stage.EHLO, trouble, verified=True)) == Finding(I, reason)


def test_starttls_not_offered_is_suspected() -> None:
    assert classify(broken(Stage.EHLO, Trouble.NO_STARTTLS)) == suspected(I, "starttls_not_offered")


def test_no_login_mechanism_that_we_speak_is_other() -> None:
    assert classify(broken(Stage.AUTH, Trouble.NO_AUTH_MECHANISM)) == Finding(O, "auth_mechanism")


# The final dot


@pytest.mark.parametrize("code", [421, 450, 451, 452, 550, 554])
def test_a_failing_reply_to_the_dot_is_no_acceptance(code: int) -> None:
    assert "accept_unconfirmed" not in classify(reply(Stage.DOT, code)).tags


@pytest.mark.parametrize(
    "observation",
    [
        broken(Stage.DOT, Trouble.TIMEOUT),
        broken(Stage.DOT, Trouble.CLOSED),
        broken(Stage.DOT, Trouble.RESET),
        broken(Stage.DOT, Trouble.MALFORMED),
        broken(Stage.DOT, Trouble.ENGINE),
        reply(Stage.DOT, 354),
    ],
)
def test_whatever_else_follows_the_dot_leaves_the_message_unconfirmed(observation: Observation) -> None:
    assert classify(observation).tags == UNCONFIRMED


def test_a_stage_of_another_protocol_is_our_own_defect() -> None:
    for trouble in (Trouble.TIMEOUT, Trouble.CLOSED, Trouble.REDIRECT_LOOP):
        assert classify(broken(Stage.BODY, trouble)) == Finding(Fault.OWN, "engine_error")


def test_a_trouble_of_another_protocol_is_our_own_defect() -> None:
    assert classify(broken(Stage.MAIL, Trouble.REDIRECT_LOOP)) == Finding(Fault.OWN, "engine_error")


def test_an_address_that_needs_an_extension_the_server_lacks_is_nobodys_outage() -> None:
    observation = Observation(kind=Kind.SMTP, stage=Stage.MAIL, unmet="smtputf8", verified=True)
    assert classify(observation) == Finding(Fault.OTHER, "extension_missing")
