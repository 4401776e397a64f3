"""Paths of the report pages, below ``/reports/``."""

from django.urls import path

from reports import dashboard_pages, pages, saved_pages, schedule_pages
from reports.behind.page import behind_page
from reports.builder.pages import edit_report, new_report

urlpatterns = [
    path("", pages.report_list, name="reports"),
    path("cards/<slug:slug>/", pages.report_card, name="report_card"),
    path("new/", new_report, name="new_report"),
    path("saved/", saved_pages.saved_reports, name="saved_reports"),
    path("saved/<int:id>/", saved_pages.saved_report, name="saved_report"),
    path("saved/<int:id>/edit/", edit_report, name="edit_saved_report"),
    path("saved/<int:id>/change/", saved_pages.change_saved_report, name="change_saved_report"),
    path("saved/<int:id>/delete/", saved_pages.delete_saved_report, name="delete_saved_report"),
    path("behind/", behind_page, name="behind"),
    path("saved/<int:id>/schedule/", schedule_pages.add_schedule, name="add_report_schedule"),
    path("schedules/", schedule_pages.report_schedules, name="report_schedules"),
    path("schedules/stop/<str:token>", schedule_pages.stop_schedule, name="stop_report_schedule"),
    path("schedules/<int:id>/", schedule_pages.report_schedule, name="report_schedule"),
    path("schedules/<int:id>/change/", schedule_pages.change_schedule, name="change_report_schedule"),
    path("dashboards/", dashboard_pages.dashboards, name="dashboards"),
    path("dashboards/new/", dashboard_pages.new_dashboard, name="new_dashboard"),
    path("dashboards/<int:id>/", dashboard_pages.dashboard, name="dashboard"),
    path("dashboards/<int:id>/change/", dashboard_pages.change_dashboard, name="change_dashboard"),
    path("<slug:slug>/", pages.report_detail, name="report"),
]
