"""A series around the last fix that should change it: the days that are compared, as large as the whole chart."""

from datetime import timedelta

from ingest.charts.about import midnight_after
from ingest.charts.base import Chart
from ingest.charts.series import Window, draw_window
from ingest.evidence import Facts
from ingest.rules import STATED_AFTER, STATED_BEFORE
from ingest.story import day_of, moment_of


def draw(facts: Facts, name: str) -> Chart:
    """The days before and after the fix; a placeholder where none shipped."""
    return draw_window(facts, name, "around", window_of_fix(facts, name), "No fix of this series has shipped.")


def window_of_fix(facts: Facts, name: str) -> Window | None:
    """The days that the last shipped fix of a series is judged by."""
    goal = facts.story.front.slo
    subjects = [
        fix.shipped
        for fix in facts.story.front.fixes
        if fix.shipped and (fix.series or (goal.series if goal else "")) == name
    ]
    if not subjects:
        return None
    shipped = max(day_of(each, facts.zone) for each in subjects)
    start, end = shipped - timedelta(days=STATED_BEFORE), shipped + timedelta(days=STATED_AFTER)
    title = f"{STATED_BEFORE} days before the fix, {STATED_AFTER} after"
    return Window(moment_of(start, facts.zone), midnight_after(end, facts.zone), title)
