"""By which words vendors' mails are known, whoever the vendor is. A configuration adds its own vendor's.

Each pattern is bounded, because the text comes from outside. The languages are those in which the five agreements' vendors
write: English, French, German, Italian, Portuguese, Russian, Spanish.
"""

import re

_TICKET = (
    r"(?:ticket|case|request|incident|demande|dossier|anfrage|vorgang|richiesta|caso|chamado|solicita[çc][ãa]o"
    r"|solicitud|заявк\w{0,2}|тикет\w{0,2}|обращени\w{0,2}|запрос\w{0,2})"
)

_CALLED = r"(?:id|no|nr|number|num[eé]ro|nummer|numero|n[úu]mero|номер)\b\.?"
_IS = r"(?:is|ist|est|è|é|es)"
#: As desks number: 4711, BIRD-4711 (Jira), INC0012345 (ServiceNow), 2026112210000018 (OTRS).
_DIGITS = r"((?:[a-z]{2,10}-|(?:inc|cs|ritm|req|s?ctask)(?=\d))?\d{3,20})"

#: The ticket's number, in its first group, wherever it is said that it is one: figures in brackets may be a telephone's.
NUMBER = (
    # "[Ticket #12345]", "[#12345]", "(Case ID: 12345)", "[Request BIRD-12345]"
    re.compile(rf"(?i)[\[(](?:{_TICKET}[\s:.]{{0,3}}(?:(?:id|no|nr)[\s:.]{{0,3}})?#?|#)\s?{_DIGITS}[\])]"),
    # "your request (#12345)", "ticket number is 12345", "Ticket ID: ABC-12345", "Ticket ID - 12345", "заявка № 12345"; not
    # over the end of a sentence or a paragraph, where a street's number or a figure may follow
    re.compile(
        rf"(?i)\b{_TICKET}(?:[\s-]?{_CALLED}(?:\s{_IS})?\s?[:#№(\[–-]?\s?[#(\[]?|\s{_IS}\s#|\s?[:#№]\s?[#(\[]?|\s?[(\[]\s?#?"
        rf"|\sn[°º]\s?|[ \t]{{1,2}}){_DIGITS}(?![\w-])"
    ),
)
#: ... and in a subject alone: "[BIRD-12345]", "(BIRD-12345)", "[12345]", "#12345", and "BIRD-482 Summary" (Jira) at its begin.
NUMBER_OF_SUBJECT = (
    re.compile(r"(?i)[\[(]([a-z]{2,10}-\d{3,20})[\])]"),
    re.compile(r"\[(\d{4,20})\]"),
    re.compile(r"(?<![\w&])#(\d{3,20})(?![\w-])"),
    re.compile(r"^(?:(?i:re|fwd?|aw|wg|tr|rv|res|sv): ?){0,3}([A-Z][A-Z0-9]{1,9}-\d{2,9})(?=[\s:])"),
)

#: A notice that the ticket was closed.
CLOSED = (
    re.compile(
        r"(?i)\b(?:ticket|case|request|incident|issue)\b[^\n]{0,80}?\b(?:has been|have been|is|was|been|as|now|been marked)\s"
        r"(?:(?:now|automatically|marked|set|as|to)\s){0,3}(?:closed|solved|resolved)\b"
    ),
    re.compile(r"(?i)\b(?:closed|solved|resolved)\b[^\n]{0,20}\b(?:ticket|case|request|incident)\b"),
    re.compile(
        r"(?i)\bstatus\b(?: (?:is|was|has been|changed|set|now)){0,3}(?: to| as|:)? (?:closed|solved|resolved|done)\b"
    ),
    re.compile(
        r"(?i)\b(?:geschlossen|gel[öo]st|cl[ôo]tur[ée]e?|ferm[ée]e?|chius[oa]|encerrad[oa]|fechad[oa]|cerrad[oa])\b"
    ),
    re.compile(r"(?i)\b(?:закрыт|решен|решён)[аоы]?\b"),
)

#: Subjects of vacation notices and other automatic answers.
VACATION = (
    re.compile(
        r"(?i)\b(?:out of (?:the )?office|away from (?:the |my )?(?:office|desk)|auto(?:matic)?[ -]?(?:reply|response|answer)"
        r"|on vacation|abwesenheit|automatische antwort|r[ée]ponse automatique|absence du bureau|risposta automatica|fuori sede"
        r"|resposta autom[áa]tica|fora do escrit[óo]rio|respuesta autom[áa]tica|fuera de la oficina"
        r"|автоответ|автоматический ответ)"
    ),
)

#: Methods and their results in Authentication-Results (RFC 8601 2.2).
AUTHENTICATION = re.compile(r"(?:^|[;\s])(dmarc|spf|dkim)\s?=\s?([a-z]{4,12})\b")
