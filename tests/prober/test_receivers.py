"""Receivers from the configuration to a delivery: the document's examples load, each kind is built, no secret leaves."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from deliver_acts import FACTS, act
from http_desk import desk

from prober import config
from prober.deliver import Followed
from prober.deliver.build import build
from prober.deliver.follow import Follower, Taken
from prober.deliver.template import EXTRA
from prober.receivers import KINDS, Receiver
from rules.acts import ActKind

DOCUMENT = Path(__file__).parents[2] / "docs" / "receivers.md"
EXAMPLES = re.findall(r"```yaml(?: receiver)?\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
VARIABLES = {
    "DESK_TOKEN": "desk-token-0123456789",
    "SNMP_AUTH_KEY": "auth-key-0123456789",
    "SNMP_PRIVACY_KEY": "privacy-key-0123456789",
    "TWILIO_TOKEN": "twilio-token-0123456789",
    "PAGERDUTY_KEY": "pagerduty-key-0123456789",
    "PAGERDUTY_TOKEN": "pagerduty-token-0123456789",
    "STATUSPAGE_KEY": "statuspage-key-0123456789",
    "APPRISE_URL": "json://user:apprise-password@127.0.0.1:9/",
}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "prober.yaml"
    path.write_text(EXAMPLES[0], encoding="utf-8")
    return path


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(whole())


def test_the_documents_example_loads_and_has_every_kind(example: Path) -> None:
    settings = config.load(example, VARIABLES).settings
    vendor = settings.services["vendor"]
    assert {each.kind for each in (*vendor.tickets, *vendor.hotline, *vendor.status_pages, *settings.on_call)} == set(
        KINDS
    )


def test_the_documents_smaller_examples_are_receivers() -> None:
    assert EXAMPLES[1:]
    for text in EXAMPLES[1:]:
        assert Receiver.model_validate(yaml.safe_load(text)).kind in KINDS


def test_the_document_names_every_field_that_templates_know_besides_the_webhooks() -> None:
    documented = re.findall(r"^\| `([a-z]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(documented) >= EXTRA


def test_every_kind_is_built_and_those_that_tell_more_are_followed(example: Path) -> None:
    async def test() -> None:
        follower = Follower(lambda _, __: None)
        settings = config.load(example, VARIABLES).settings
        deliveries = build(settings)
        followed = {
            name.rpartition(".")[2].partition("-")[0] for name, d in deliveries.items() if isinstance(d, Followed)
        }
        assert followed == {"twilio", "pagerduty", "alertmanager"}
        assert set(build(settings, follower=follower)) == set(deliveries)
        follower.begin(Taken(act(), "on_call.pagerduty-1", "key", ""))
        assert len(follower.following) == 1
        await follower.close()

    within(test)


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    raw: dict[str, Any] = yaml.safe_load(EXAMPLES[0])
    vendor = raw["services"]["vendor"]
    receivers = [*vendor["tickets"], *vendor["hotline"], *vendor["status_pages"], *raw["on_call"]]
    for number, receiver in enumerate(receivers):
        for section in receiver.values():
            for key, value in list(section.items()):
                if isinstance(value, str) and re.fullmatch(r"\$\{[A-Z_]+\}", value):
                    (tmp_path / f"{number}.{key}").write_text(VARIABLES[value[2:-1]] + "\n")
                    section[f"{key}_file"] = f"{number}.{key}"
                    del section[key]
    path = tmp_path / "prober.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    from_files = config.load(path, {"DESK_TOKEN": VARIABLES["DESK_TOKEN"]}).settings
    (tmp_path / "plain.yaml").write_text(EXAMPLES[0])
    assert from_files.on_call == config.load(tmp_path / "plain.yaml", VARIABLES).settings.on_call
    assert from_files.services["vendor"].hotline[0].twilio is not None


@pytest.mark.parametrize("kind", [ActKind.PAGE, ActKind.PAGE_RESOLVE])
def test_no_secret_of_the_configuration_leaves_in_an_act_nor_while_it_is_followed(kind: ActKind) -> None:
    secret = "hidden-0123456789"
    raw = {
        "services": {
            "v": {"contract": "bird-email-enterprise", "channels": {"api": [{"name": "a", "url": "http://h/"}]}}
        },
        "on_call": [{"webhook": {"url": "http://127.0.0.1:9/", "hmac_key": secret}}],
    }

    async def test() -> None:
        async with desk() as server:
            url = f"http://127.0.0.1:{server.port}"
            more = {"alertmanager": {"url": url}}
            settings = config.from_raw({**raw, "on_call": [*raw["on_call"], more]}, Path())
            delivery = build(settings)["on_call.alertmanager-2"]
            leaking = replace(act(kind), facts={**FACTS, "text": f"the key is {secret}"})
            await delivery.deliver(leaking, leaking.id)
            assert isinstance(delivery, Followed)
            await delivery.follow(replace(leaking, kind=ActKind.PAGE), leaking.id, "")
        sent = b"".join(request.body for request in server.requests)
        assert b"VendorIncident" in sent
        assert secret.encode() not in sent

    within(test)
