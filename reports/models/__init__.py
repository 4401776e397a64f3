from reports.models.dashboard import Dashboard
from reports.models.saved_report import SavedReport
from reports.models.schedule import ReportSchedule, ScheduleOutput

__all__ = ["Dashboard", "ReportSchedule", "SavedReport", "ScheduleOutput"]
