"""The IMAP client, against Debian's dovecot and against servers that misbehave."""

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trustme

from prober.replies.imap import Imap, ImapError, Selected
from tests.peers.dovecot_peer import PASSWORD, USER, Dovecot, dovecot
from tests.peers.imap_peer import Script, imap_peer

WITHIN = 10.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def server(certificate: tuple[Path, Path]) -> Iterator[Dovecot]:
    with tempfile.TemporaryDirectory(prefix="dv") as folder, dovecot(Path(folder), certificate=certificate) as running:
        yield running


def with_client(
    port: int,
    work: Callable[[Imap], Awaitable[None]],
    tls: str = "none",
    context: ssl.SSLContext | None = None,
    within: float = WITHIN,
) -> None:
    async def wrapped() -> None:
        async with Imap.connect("localhost", port, tls, context, within) as imap:  # type: ignore[arg-type]  # a literal
            await work(imap)

    asyncio.run(wrapped())


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.peer("dovecot")
@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_it_logs_in_and_reads_over_every_kind_of_connection(server: Dovecot, authority: trustme.CA, tls: str) -> None:
    async def work(imap: Imap) -> None:
        await imap.login(USER, PASSWORD)
        selected = await imap.select("INBOX")
        assert selected.validity > 0
        server.deliver("From: a@b.c\r\nSubject: x (\r\n\r\nunbalanced ) and {12}\r\n")
        await imap.noop()
        uid = (await imap.after(selected.next - 1))[-1]
        fetched = await imap.fetch(uid, 1000)
        assert fetched is not None
        assert fetched.raw.endswith(b"unbalanced ) and {12}\r\n")
        assert fetched.size == len(fetched.raw)
        assert abs(fetched.at - time.time()) < 60
        assert uid in await imap.since(int(time.time()))
        part = await imap.fetch(uid, 7)
        assert part is not None
        assert (part.raw, part.size) == (b"From: a", fetched.size)
        assert await imap.after(uid) == []
        assert await imap.fetch(uid + 1000, 10) is None
        await imap.logout()

    port = server.tls_port if tls == "implicit" else server.port
    with_client(port, work, tls, trusting(authority) if tls != "none" else None)


@pytest.mark.peer("dovecot")
def test_nothing_is_marked_by_reading_and_what_is_to_be_marked_is(server: Dovecot) -> None:
    server.deliver("From: a@b.c\r\nSubject: first\r\n\r\nx\r\n")

    async def work(imap: Imap) -> None:
        await imap.login(USER, PASSWORD)
        await imap.select("INBOX")
        last = (await imap.after(0))[-1]
        await imap.fetch(last, 100)
        assert not any(name.endswith("S") for name in server.files())
        await imap.mark_seen(last)
        assert not any(name.endswith("S") for name in server.files()), "the folder was opened for reading alone"

    with_client(server.port, work)

    async def marks(imap: Imap) -> None:
        await imap.login(USER, PASSWORD)
        await imap.select("INBOX", writable=True)
        await imap.mark_seen((await imap.after(0))[-1])
        await imap.logout()

    with_client(server.port, marks)
    assert sum(name.endswith("S") for name in server.files()) == 1


@pytest.mark.peer("dovecot")
def test_idle_tells_of_a_new_mail_at_once_and_of_none_in_time(server: Dovecot) -> None:
    async def work(imap: Imap) -> None:
        await imap.login(USER, PASSWORD)
        selected = await imap.select("INBOX")
        assert await imap.idle(0.05) is False
        waiting = asyncio.create_task(imap.idle(WITHIN))
        server.deliver("From: a@b.c\r\nSubject: news\r\n\r\nx\r\n")
        assert await waiting is True
        assert len(await imap.after(selected.next - 1)) == 1

    with_client(server.port, work)


@pytest.mark.peer("dovecot")
def test_a_folder_with_letters_of_any_script_is_opened(server: Dovecot) -> None:
    server.deliver("From: a@b.c\r\n\r\nx", folder="&BB4EQgQyBDUEQg- & Co".replace(" & ", " &- "))

    async def work(imap: Imap) -> None:
        await imap.login(USER, PASSWORD)
        assert (await imap.select("Ответ & Co")).exists == 1
        with pytest.raises(ImapError, match="EXAMINE was refused"):
            await imap.select("nowhere")

    with_client(server.port, work)


@pytest.mark.peer("dovecot")
def test_a_wrong_password_is_told_without_it(server: Dovecot) -> None:
    async def work(imap: Imap) -> None:
        with pytest.raises(ImapError, match="AUTHENTICATE was refused") as caught:
            await imap.login(USER, "wrong-secret")
        assert "wrong-secret" not in str(caught.value)

    with_client(server.port, work)


@pytest.mark.peer("dovecot")
def test_a_certificate_that_nobody_vouches_for_is_refused(server: Dovecot) -> None:
    async def nothing(_: Imap) -> None:
        raise AssertionError("the connection must not stand")

    for port, tls in ((server.tls_port, "implicit"), (server.port, "starttls")):
        with pytest.raises(ssl.SSLCertVerificationError):
            with_client(port, nothing, tls, ssl.create_default_context())


# --- servers that misbehave

CAPABLE = b"* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK done\r\n"


def script(**answers: bytes | None) -> Script:
    def answer(command: str) -> bytes | None:
        word = command.split(maxsplit=1)[0].upper() if command else ""
        if word == "UID":
            word = command.split()[1].upper()
        return answers.get(word, CAPABLE if word == "CAPABILITY" else b"{tag} OK done\r\n")

    return answer


def against(
    play: Script, work: Callable[[Imap], Awaitable[object]], greeting: bytes = b"* OK ready\r\n", within: float = WITHIN
) -> None:
    async def wrapped() -> None:
        async with (
            imap_peer(play, greeting) as port,
            Imap.connect("127.0.0.1", port, "none", None, within) as imap,
        ):
            await work(imap)

    asyncio.run(wrapped())


def test_a_number_that_no_mail_can_have_is_passed_over() -> None:
    async def work(imap: Imap) -> None:
        assert await imap.after(0) == [7]

    against(script(SEARCH=b"* SEARCH " + b"9" * 5_000 + b" 7 12345678901\r\n{tag} OK\r\n"), work)


def test_a_mail_from_before_all_time_is_as_old_as_can_be() -> None:
    async def work(imap: Imap) -> None:
        fetched = await imap.fetch(5, 100)
        assert fetched is not None
        assert fetched.at == 0

    told = b'* 1 FETCH (UID 5 INTERNALDATE "01-Jan-0001 00:00:00 +2359" BODY[]<0> {3}\r\nabc)\r\n{tag} OK\r\n'
    against(script(FETCH=told), work)


def test_a_folder_of_a_hundred_thousand_mails_is_searched() -> None:
    uids = list(range(1_000_000, 1_100_000))

    async def work(imap: Imap) -> None:
        assert await imap.after(0) == uids

    answer = b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b"\r\n{tag} OK\r\n"
    against(script(SEARCH=answer), work)


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"* BYE go away\r\n", "greets with"),
        (b"HTTP/1.1 400 Bad\r\n", "greets with"),
        (b"x" * 3_000_000, "line without end"),
    ],
)
def test_what_greets_as_no_imap_server_is_told(greeting: bytes, words: str) -> None:
    with pytest.raises(ImapError, match=words):
        against(script(), Imap.noop, greeting)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"{tag} NO not now\r\n", "refused: NO not now"),
        (b"{tag} BAD what\r\n", "refused: BAD what"),
        (b"* BYE shutting down\r\n", "ends the connection"),
        (b"", "has closed the connection"),
        (b"* x\r\n" * 10_001, "without end"),
        (b"* 1 FETCH (BODY[] {99999999}\r\n", "more than was asked for"),
        (b"y" * 3_000_000, "line without end"),
        ((b"* " + b"z" * 900_000 + b"\r\n") * 5, "without end"),
    ],
)
def test_every_misbehaviour_ends_in_words(answer: bytes, words: str) -> None:
    with pytest.raises(ImapError, match=words):
        against(script(NOOP=answer), Imap.noop)


def test_a_server_that_falls_silent_costs_its_time_and_no_more() -> None:
    with pytest.raises(ImapError, match=r"no answer to NOOP within 1 s"):
        against(script(NOOP=None), Imap.noop, within=1.0)


def test_a_literal_that_breaks_off_is_told() -> None:
    def play(command: str) -> bytes | None:
        return b"* 1 FETCH (UID 1 BODY[] {100}\r\nonly this" if "FETCH" in command else script()(command)

    async def work(imap: Imap) -> None:
        await imap.fetch(1, 10)

    with pytest.raises((ImapError, TimeoutError)):
        against(play, work, within=1.0)


def test_a_password_is_never_said_in_the_clear_where_tls_was_asked_for() -> None:
    async def wrapped() -> None:
        async with imap_peer(script()) as port, Imap.connect("127.0.0.1", port, "starttls", None, WITHIN):
            pass

    with pytest.raises(ImapError, match="does not offer STARTTLS"):
        asyncio.run(wrapped())


def test_login_is_used_where_plain_is_not_offered_and_never_where_it_is_disabled() -> None:
    said: list[str] = []

    def play(command: str) -> bytes | None:
        said.append(command)
        return script()(command)

    async def work(imap: Imap) -> None:
        await imap.login('o"n', "pass\\word")

    against(play, work)
    assert 'LOGIN "o\\"n" "pass\\\\word"' in said
    disabled = script(CAPABILITY=b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n")
    with pytest.raises(ImapError, match="takes no password"):
        against(disabled, work)


def test_plain_waits_for_the_servers_word_where_it_must() -> None:
    said: list[str] = []

    def play(command: str) -> bytes | None:
        said.append(command)
        if command.startswith("AUTHENTICATE"):
            return b"+ \r\n"
        if not command:  # the answer to "+" has no tag: all of it is taken for one
            return b"a2 OK in\r\n"
        return script(CAPABILITY=b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK\r\n")(command)

    async def work(imap: Imap) -> None:
        await imap.login("u", "p")

    against(play, work)
    assert "AUTHENTICATE PLAIN" in said
    refusing = script(CAPABILITY=b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK\r\n", AUTHENTICATE=b"* strange\r\n")
    with pytest.raises(ImapError, match="was answered by"):
        against(refusing, work)


def test_a_line_break_never_gets_into_a_command() -> None:
    async def work(imap: Imap) -> None:
        await imap.login("u\r\na9 DELETE INBOX", "p")

    with pytest.raises(ImapError, match="line break"):
        against(script(), work)


def test_a_folder_without_lasting_numbers_is_refused() -> None:
    async def work(imap: Imap) -> None:
        await imap.select("INBOX")

    with pytest.raises(ImapError, match="UIDVALIDITY"):
        against(script(EXAMINE=b"* 3 EXISTS\r\n{tag} OK\r\n"), work)


def test_a_server_that_does_not_say_what_comes_next_is_borne_with() -> None:
    async def work(imap: Imap) -> None:
        assert await imap.select("INBOX") == Selected(7, 0, 3)

    against(script(EXAMINE=b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n{tag} OK\r\n"), work)


def test_an_answer_about_another_message_is_passed_over() -> None:
    async def work(imap: Imap) -> None:
        assert await imap.fetch(9, 10) is None

    against(script(FETCH=b"* 1 FETCH (UID 8 BODY[]<0> {1}\r\nx)\r\n* 2 EXISTS\r\n{tag} OK\r\n"), work)


def test_a_date_that_is_none_is_zero() -> None:
    async def work(imap: Imap) -> None:
        fetched = await imap.fetch(8, 10)
        assert fetched is not None
        assert (fetched.at, fetched.size) == (0, 0)

    against(script(FETCH=b'* 1 FETCH (UID 8 INTERNALDATE "never" BODY[]<0> {1}\r\nx)\r\n{tag} OK\r\n'), work)


def test_idle_that_is_refused_or_ended_is_told() -> None:
    async def work(imap: Imap) -> None:
        await imap.idle(5)

    with pytest.raises(ImapError, match="IDLE was refused"):
        against(script(IDLE=b"{tag} NO\r\n"), work)
    with pytest.raises(ImapError, match="ends the connection"):
        against(script(IDLE=b"+ go\r\n* BYE\r\n"), work)


def test_news_that_came_before_idle_stood_are_news() -> None:
    def play(command: str) -> bytes | None:
        if command == "IDLE":
            return b"* 5 EXISTS\r\n+ go\r\n"
        return b"a2 OK idled\r\n" if not command else script()(command)

    async def work(imap: Imap) -> None:
        assert await imap.idle(5) is True

    against(play, work)
