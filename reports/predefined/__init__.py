"""The built-in reports, each a small declared object: what it shows, and the query behind it."""

from reports.predefined.assignment import ASSIGNMENT
from reports.predefined.completed import COMPLETED
from reports.predefined.cost import COST, COST_BY_LABEL, COST_BY_PROJECT, COST_BY_VERSION
from reports.predefined.cumulative_flow import CUMULATIVE_FLOW
from reports.predefined.cycle_times import CYCLE_TIMES, HISTOGRAM
from reports.predefined.due_performance import DUE_PERFORMANCE
from reports.predefined.forecast import FORECAST
from reports.predefined.littles_law import LITTLES_LAW
from reports.predefined.people_load import PEOPLE_LOAD
from reports.predefined.quality import QUALITY
from reports.predefined.reliability import FAILURES, RELIABILITY
from reports.predefined.service_level import SERVICE_LEVEL
from reports.predefined.time_in_status import FLOW_EFFICIENCY, TIME_IN_STATUS
from reports.predefined.time_to_complete import TIME_TO_COMPLETE
from reports.predefined.top_blockers import TOP_BLOCKERS
from reports.predefined.utilisation import UTILISATION
from reports.predefined.waiting import WAITING
from reports.predefined.wip_age import WIP_AGE
from reports.predefined.workload import WORKLOAD
from reports.report import Report

REPORTS: dict[str, Report] = {
    report.slug: report
    for report in (
        COMPLETED,
        TIME_TO_COMPLETE,
        CYCLE_TIMES,
        HISTOGRAM,
        SERVICE_LEVEL,
        WIP_AGE,
        CUMULATIVE_FLOW,
        TIME_IN_STATUS,
        FLOW_EFFICIENCY,
        WAITING,
        FORECAST,
        LITTLES_LAW,
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
