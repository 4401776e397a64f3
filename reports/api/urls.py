"""Paths of the reports below ``/api/v1/``."""

from django.urls import re_path

from reports.api.reports import ReportsView, ReportView

urlpatterns = [
    re_path(r"^reports/?$", ReportsView.as_view(), name="report-list"),
    re_path(r"^reports/(?P<slug>[^/]+)/?$", ReportView.as_view(), name="report-detail"),
]
