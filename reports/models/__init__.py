from reports.models.saved_report import SavedReport
from reports.models.schedule import ReportSchedule, ScheduleOutput

__all__ = ["ReportSchedule", "SavedReport", "ScheduleOutput"]
