"""Paths of the reports below ``/api/v1/``."""

from django.urls import re_path

from reports.api.dashboards import DashboardsView, DashboardView
from reports.api.definitions import RunView, VocabularyView
from reports.api.reports import ReportsView, ReportView
from reports.api.saved_reports import SavedReportRunView, SavedReportsView, SavedReportView
from reports.api.schedules import ReportSchedulesView, ReportScheduleView

urlpatterns = [
    re_path(r"^reports/?$", ReportsView.as_view(), name="report-list"),
    re_path(r"^reports/run/?$", RunView.as_view(), name="report-run"),
    re_path(r"^reports/vocabulary/?$", VocabularyView.as_view(), name="report-vocabulary"),
    re_path(r"^reports/(?P<slug>[^/]+)/?$", ReportView.as_view(), name="report-detail"),
    re_path(r"^saved_reports/?$", SavedReportsView.as_view(), name="saved-reports"),
    re_path(r"^saved_reports/(?P<id>\d{1,18})/?$", SavedReportView.as_view(), name="saved-report"),
    re_path(r"^saved_reports/(?P<id>\d{1,18})/run/?$", SavedReportRunView.as_view(), name="saved-report-run"),
    re_path(r"^report_schedules/?$", ReportSchedulesView.as_view(), name="report-schedules"),
    re_path(r"^report_schedules/(?P<id>\d{1,18})/?$", ReportScheduleView.as_view(), name="report-schedule"),
    re_path(r"^dashboards/?$", DashboardsView.as_view(), name="api-dashboards"),
    re_path(r"^dashboards/(?P<id>\d{1,18})/?$", DashboardView.as_view(), name="api-dashboard"),
]
