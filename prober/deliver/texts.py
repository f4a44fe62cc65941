"""The words in which an act reaches people: subject, summary, plain text, HTML. Templates say it, this file renders
them.

Each text is written once (`templates/ticket.j2`, ...) and laid out twice (`text.j2`, `html.j2`). All of it is a
function of the act and of the templates (`prober.deliver.wording`): no clock, no locale.
"""

import re
import textwrap
from html import escape

from prober.deliver import public, wording
from prober.deliver.harmless import harmless
from prober.deliver.view import View
from prober.deliver.wording import later, said
from rules.acts import Act, ActKind

#: Most characters of a subject and of a summary.
SUBJECT = 180
SUMMARY = 400
#: Most characters of a subject that the vendor's number takes; with it, what the subject is about still finds room.
_NUMBER, _LEAST = 40, 20

#: What every text of an exercise begins with, so that nobody takes it for a real incident.
EXERCISE = "EXERCISE"
_EXERCISE = later(
    "%(mark)s: this is a drill. There is no incident, the figures and times are made up, and nothing needs to be done"
    " but to confirm that this arrived."
)
_SPOKEN_EXERCISE = later("This is an exercise. There is no incident.")

#: What the step of a page ends with when one like it was resolved before.
_NUMBERED = re.compile(r"-[0-9]+$")
#: Pages that ask on-call to do what the program could not, by their step.
_BY_HAND = {
    "ticket-failed": later("the ticket was refused by every receiver; open it by hand"),
    "hotline-failed": later("the hotline was refused by every receiver; call it by hand"),
    "note-failed": later("a note was refused by the ticket's receiver; write it by hand"),
    "escalation-failed": later("the escalation was refused by every receiver; reach its point by hand"),
    "ticket-late": later("no receiver has taken the ticket so far; open it by hand if it cannot wait"),
    "hotline-late": later("no receiver has taken the call to the hotline so far; call it by hand if it cannot wait"),
    "hotline-unreached": later("the call to the hotline reached nobody; call it by hand"),
    "page-unreached": later("a page reached nobody"),
    "mail-bounced": later("a mail of ours did not reach the vendor; send it another way"),
    "mail-copy": later("a mail of ours did not reach somebody of ours; see who"),
    "mail-late": later("a mail of ours to the vendor is late"),
    "mail-aside": later("a mail was set aside; judge it"),
    "vendor-closes": later("the vendor seems to say that the ticket is closed; confirm it or object"),
    "no-relay": later("no relay can carry the ticket; put one right or send it by hand"),
}


def subject(act: Act) -> str:
    """One line, the same for a whole thread but for "Re: " and the vendor's number.

    What it is about is the template's (`subject.j2`); the rest, on which threads and replies hang, is the program's.
    """
    if act.kind is ActKind.STATUS:
        return _cut(public.told(act).name, SUBJECT)
    view = View(act)
    again = "Re: " if act.kind in (ActKind.NOTE, ActKind.PAGE_RESOLVE) else ""
    number = f"[{_cut(view.ticket_number, _NUMBER)}] " if again and view.ticket_number else ""
    begin = f"{again}{number}{EXERCISE + ': ' if view.exercise else ''}"
    end = f" [{view.incident}]"
    about = _about(act, view).replace(end.strip(), " ")
    return begin + _cut(about, max(_LEAST, SUBJECT - len(begin) - len(end))) + end


def summary(act: Act) -> str:
    """What happened, in one line."""
    if act.kind is ActKind.STATUS:
        return _cut(public.told(act).body, SUMMARY)
    view = View(act)
    head = _head(view)
    return _cut(f"{head}: {_happened(act, view)} [{view.incident}]", SUMMARY)


def text(act: Act) -> str:
    """The plain text, lines ended by LF."""
    if act.kind is ActKind.STATUS:  # everybody reads it
        return f"{public.told(act).body}\n"
    return _render(act, "text.j2")


def html(act: Act) -> str:
    """The same as an HTML document without scripts or pictures; what it links to is our own incident room."""
    return _render(act, "html.j2")


def spoken(act: Act) -> str:
    """The script of a call, to be read out by a machine."""
    view = View(act)
    words = wording.render("voice.j2", escape=False, v=view, summary=summary(act))
    exercise = said(_SPOKEN_EXERCISE)
    return f"{exercise}\n{words}\n{exercise}" if view.exercise else words


def warm() -> None:
    """Compile all built-in templates now."""
    wording.standard().warm()


def _about(act: Act, view: View) -> str:
    """What the subject's template says, fit for a header; the service's name for one that says nothing."""
    values = {"v": view, "summary": summary(act), "resolved": act.kind is ActKind.PAGE_RESOLVE}
    words = wording.render("subject.j2", escape=False, **values)
    return harmless(" ".join(words.split())) or view.title


def _head(view: View) -> str:
    head = said("%(severity)s: %(title)s", severity=view.severity, title=view.title) if view.severity else view.title
    return f"{EXERCISE}: {head}" if view.exercise else head


def _happened(act: Act, view: View) -> str:
    if act.kind is ActKind.PAGE_RESOLVE and not view.recovered:
        return view.note.rstrip(".") or said("no longer needs attention")
    words = view.condition_words or said("needs attention")
    since = said("%(words)s since %(onset)s", words=words, onset=view.onset) if view.onset else words
    if act.kind is ActKind.PAGE and view.clock:
        return f"{view.clock}; {since}"
    if act.kind is ActKind.PAGE_RESOLVE or _template(act) == "note_recovered.j2":
        return said("recovered at %(at)s", at=view.recovered) if view.recovered else said("recovered")
    if act.kind is ActKind.PAGE and (by_hand := _BY_HAND.get(_NUMBERED.sub("", act.step))):
        return said(by_hand)
    if not (view.bad and view.measured) or view.measured == "0":
        return since
    return said(
        "%(since)s (%(bad)s of %(measured)s measured seconds)", since=since, bad=view.bad, measured=view.measured
    )


def _template(act: Act) -> str:
    if act.kind is not ActKind.NOTE:
        return "page.j2" if act.kind in (ActKind.PAGE, ActKind.PAGE_RESOLVE) else f"{act.kind.value}.j2"
    if act.step.startswith("recovered"):
        return "note_recovered.j2"
    return "note_episode.j2" if act.step.startswith("unavailable-again") else "note.j2"


def _render(act: Act, layout: str) -> str:
    view = View(act)
    words = wording.render(
        _template(act),
        escape=layout == "html.j2",
        layout=layout,
        v=view,
        subject=subject(act),
        summary=summary(act),
        resolved=act.kind is ActKind.PAGE_RESOLVE,
    )
    if view.exercise:  # not the templates' to leave out
        words = _marked(words, layout)
    return re.sub(r"\n{3,}", "\n\n", words).strip("\n") + "\n"


def _marked(words: str, layout: str) -> str:
    """A text of an exercise says so in its first line."""
    marks = said(_EXERCISE, mark=EXERCISE)
    if layout != "html.j2":
        return textwrap.fill(marks, 76) + "\n\n" + words
    mark = f'<p style="font-weight:bold">{escape(marks)}</p>\n'
    body = re.search(r"<body[^>]*>\n?", words)
    return words[: body.end()] + mark + words[body.end() :] if body else mark + words


def _cut(line: str, limit: int) -> str:
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
