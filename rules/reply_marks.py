"""By which words vendors' mails are known, whoever the vendor is. A configuration adds its own vendor's.

Each pattern is bounded, because the text comes from outside. The languages are those in which the five agreements' vendors
write: English, French, German, Italian, Portuguese, Russian, Spanish.
"""

import re

_TICKET = (
    r"(?:ticket|case|request|incident|demande|dossier|anfrage|vorgang|richiesta|caso|chamado|solicita[çc][ãa]o"
    r"|solicitud|заявк\w{0,2}|тикет\w{0,2}|обращени\w{0,2}|запрос\w{0,2})"
)

#: The ticket's number, in its first group.
NUMBER = (
    # "[Ticket #12345]", "[#12345]", "[BIRD-12345]", "(Case ID: 12345)"
    re.compile(
        rf"(?i)[\[(](?:{_TICKET}[\s:.]{{0,3}})?(?:(?:id|no|nr)[\s:.]{{0,3}})?#?\s?((?:[a-z]{{2,10}}-)?\d{{3,12}})[\])]"
    ),
    # "your request (#12345)", "ticket number is 12345", "Ticket ID: ABC-12345", "заявка № 12345"
    re.compile(
        rf"(?i)\b{_TICKET}(?:\s(?:id|no|nr|number|num[eé]ro|nummer|numero|n[úu]mero|номер))?(?:\s(?:is|ist|est|è|é|es))?"
        r"[\s:.(\[#№°n]{1,5}((?:[a-z]{2,10}-)?\d{3,12})(?![\w-])"
    ),
)

#: A notice that the ticket was closed.
CLOSED = (
    re.compile(
        r"(?i)\b(?:ticket|case|request|incident|issue)\b[^\n]{0,80}?\b(?:has been|have been|is|was|been|as|now|been marked)\s"
        r"(?:(?:now|automatically|marked|set|as|to)\s){0,3}(?:closed|solved|resolved)\b"
    ),
    re.compile(r"(?i)\b(?:closed|solved|resolved)\b[^\n]{0,20}\b(?:ticket|case|request|incident)\b"),
    re.compile(
        r"(?i)\b(?:geschlossen|gel[öo]st|cl[ôo]tur[ée]e?|ferm[ée]e?|chius[oa]|encerrad[oa]|fechad[oa]|cerrad[oa])\b"
    ),
    re.compile(r"(?i)\b(?:закрыт|решен|решён)[аоы]?\b"),
)

#: Subjects of vacation notices and other automatic answers.
VACATION = (
    re.compile(
        r"(?i)\b(?:out of (?:the )?office|auto(?:matic)?[ -]?(?:reply|response|answer)|on vacation|abwesenheit"
        r"|automatische antwort|r[ée]ponse automatique|absence du bureau|risposta automatica|fuori sede|resposta autom[áa]tica"
        r"|fora do escrit[óo]rio|respuesta autom[áa]tica|fuera de la oficina|автоответ|автоматический ответ)"
    ),
)

#: Methods and their results in Authentication-Results (RFC 8601 2.2).
AUTHENTICATION = re.compile(r"(?:^|[;\s])(dmarc|spf|dkim)\s?=\s?([a-z]{4,12})\b")
