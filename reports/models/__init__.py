from reports.models.saved_report import SavedReport

__all__ = ["SavedReport"]
