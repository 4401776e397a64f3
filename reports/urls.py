"""Paths of the report pages, below ``/reports/``."""

from django.urls import path

from reports import views

urlpatterns = [
    path("", views.report_list, name="reports"),
    path("<slug:slug>/", views.report_detail, name="report"),
]
