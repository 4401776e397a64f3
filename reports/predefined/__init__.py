"""The built-in reports, each a small declared object: what it shows, and the query behind it."""

from reports.predefined.assignment import ASSIGNMENT
from reports.predefined.completed import COMPLETED
from reports.predefined.cost import COST, COST_BY_LABEL, COST_BY_PROJECT, COST_BY_VERSION
from reports.predefined.due_performance import DUE_PERFORMANCE
from reports.predefined.people_load import PEOPLE_LOAD
from reports.predefined.quality import QUALITY
from reports.predefined.reliability import FAILURES, RELIABILITY
from reports.predefined.time_to_complete import TIME_TO_COMPLETE
from reports.predefined.top_blockers import TOP_BLOCKERS
from reports.predefined.utilisation import UTILISATION
from reports.predefined.workload import WORKLOAD
from reports.report import Report

REPORTS: dict[str, Report] = {
    report.slug: report
    for report in (
        COMPLETED,
        TIME_TO_COMPLETE,
        WORKLOAD,
        UTILISATION,
        DUE_PERFORMANCE,
        RELIABILITY,
        FAILURES,
        QUALITY,
        COST,
        COST_BY_VERSION,
        COST_BY_PROJECT,
        COST_BY_LABEL,
        PEOPLE_LOAD,
        ASSIGNMENT,
        TOP_BLOCKERS,
    )
}
