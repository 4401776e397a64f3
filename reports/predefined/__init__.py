"""The built-in reports, each a small declared object: what it shows, and the query behind it."""

from reports.predefined.completed import COMPLETED
from reports.predefined.time_to_complete import TIME_TO_COMPLETE
from reports.predefined.workload import WORKLOAD
from reports.report import Report

REPORTS: dict[str, Report] = {report.slug: report for report in (COMPLETED, TIME_TO_COMPLETE, WORKLOAD)}
