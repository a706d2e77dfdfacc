"""What a stranger understands of a story in ten seconds, and the sentence that support may send."""

from dataclasses import dataclass
from datetime import date

from ingest.evidence import Facts, GoalFacts
from ingest.outlook import Outlook, lost, outlook
from macros.site import Site
from macros.words import plural

_ENDS = (".", "!", "?", "…")
GOAL_WORDS = {"met": "within the goal", "missed": "over the goal", "near": "about at the goal"}


@dataclass(frozen=True)
class Summary:
    """The beginning of a story's page.

    `lead` says what is slow and `whom` for whom (both may be unknown, and are empty then),
    `now` where it stands, `goal` how the current figure stands against the goal, `then_by` who does what comes next,
    `sentence` is what support may send, `judged_on` the day on which a gain will be known, and
    `in_vain` whether a fix was measured and nothing was won.
    """

    lead: str
    whom: str
    goal: str
    now: str
    outlook: Outlook
    then_by: str | None
    sentence: str
    judged_on: date | None
    in_vain: bool


def summary(site: Site, facts: Facts) -> Summary:
    """The summary of a story."""
    front = facts.story.front
    fixes, stands = facts.fixes.values(), outlook(facts)
    waiting = (each.due for each in fixes if each.state in ("waiting", "preliminary"))
    return Summary(
        lead=sentence(front.what),
        whom=sentence(f"For {_lower(front.who)}" if front.who else None),
        goal=against(facts.goal),
        now=sentence(stands.now),
        outlook=stands,
        then_by=(facts.owner or site.settings.accountable) if stands.then else None,
        sentence=support_sentence(site, facts),
        judged_on=min((due for due in waiting if due), default=None),
        in_vain=any(each.pin for each in fixes) and not any(each.counts for each in fixes),
    )


def against(goal: GoalFacts | None) -> str:
    """How the last week's figure stands against the goal: met, missed or near; empty where nobody can say.

    It is `near` where the figure is known no better than a bucket, and the goal lies in that.
    """
    if goal is None or goal.series.recent is None:
        return ""
    figure = goal.series.recent.figure
    if figure.high <= goal.below:
        return "met"
    return "missed" if figure.low >= goal.below else "near"


def support_sentence(site: Site, facts: Facts) -> str:
    """What support may send: that it is known, to how many, what is done about it, and where to follow it.

    Of a story that repeats another one, it is the other one's.
    """
    told = site.facts.get(facts.story.front.same_as or "", facts)
    front, url = told.story.front, site.settings.url
    parts = [
        f"{_opening(told)}{_customers(told)}.",
        sentence(front.say or facts.story.front.say),
        f"You can follow it here: {url.rstrip('/')}/stories/{told.slug}/" if url else "",
    ]
    return " ".join(part for part in parts if part)


def _opening(facts: Facts) -> str:
    status = facts.story.front.status
    if status == "parked":
        return "Yes, we know of this, though it is not being worked on at the moment"
    if status in ("shipped", "measured") and not any(lost(each) for each in facts.fixes.values()):
        helped = any(each.counts for each in facts.fixes.values()) or status == "shipped"
        return "Yes, we know of this, and a fix is live" if helped else "Yes, this is on our radar"
    return "Yes, this is on our radar"


def _customers(facts: Facts) -> str:
    """How many customers are known to have it; nothing where nobody knows."""
    if not facts.reports.reports:
        return ""
    # What another system counts are reports, and nobody knows of how many customers.
    least = "at least " if facts.reports.counted else ""
    have = "has" if facts.reports.customers == 1 else "have"
    return f"; {least}{plural(facts.reports.customers, 'customer')} {have} told us"


def sentence(text: str | None) -> str:
    """A text with a full stop; empty where there is none."""
    told = " ".join((text or "").split())
    return told if not told or told.endswith(_ENDS) else f"{told}."


def _lower(text: str) -> str:
    """As it reads within a sentence; what begins with two capitals is a name."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
