"""The API's paths, combined from the apps; any other path is answered with a problem."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from taskproject.api.docs import DocsView, SchemaView
from taskproject.api.problems import UnknownPath

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^schema/?$", SchemaView.as_view(), name="api-schema"),
    re_path(r"^docs/?$", DocsView.as_view(url_name="api-schema"), name="api-docs"),
    path("", include("tasks.api.urls")),
    path("", include("messaging.api.urls")),
    path("", include("reports.api.urls")),
    re_path(r"", UnknownPath.as_view()),
]
