"""Paths of the report pages, below ``/reports/``."""

from django.urls import path

from reports import pages

urlpatterns = [
    path("", pages.report_list, name="reports"),
    path("<slug:slug>/", pages.report_detail, name="report"),
]
