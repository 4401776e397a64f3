from django.contrib import admin
from django.urls import include, path, re_path

from taskproject.signing_in import AdminSignInForm, OwnPasswordView
from taskproject.watch import doors

admin.site.login_form = AdminSignInForm

handler500 = "taskproject.failures.server_error"

urlpatterns = [
    path("admin/password_change/", admin.site.admin_view(OwnPasswordView.as_view())),
    path("admin/", admin.site.urls),
    path("api/v1/", include("taskproject.api_urls")),
    *(re_path(rf"^{path[1:]}/?$", doors.view, name=path[1:]) for path in sorted(doors.PATHS)),
    path("reports/", include("reports.urls")),
    path("", include("messaging.urls")),
    path("", include("tasks.pages.urls")),
]
