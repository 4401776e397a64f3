from django.contrib import admin
from django.urls import include, path

handler500 = "taskproject.failures.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("taskproject.api_urls")),
    path("reports/", include("reports.urls")),
    path("", include("messaging.urls")),
    path("", include("tasks.pages.urls")),
]
