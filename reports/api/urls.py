"""Paths of the reports below ``/api/v1/``."""

from django.urls import re_path

from reports.api import views

urlpatterns = [
    re_path(r"^reports/?$", views.ReportList.as_view(), name="report-list"),
    re_path(r"^reports/(?P<slug>[^/]+)/?$", views.ReportDetail.as_view(), name="report-detail"),
]
