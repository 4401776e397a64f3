from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from taskproject import palette
from taskproject.signing_in import AdminSignInForm, OwnPasswordView
from taskproject.watch import doors

admin.site.login_form = AdminSignInForm

handler500 = "taskproject.failures.server_error"

urlpatterns = [
    path("admin/password_change/", admin.site.admin_view(OwnPasswordView.as_view())),
    path("admin/", admin.site.urls),
    path("api/v1/", include("taskproject.api_urls")),
    *(re_path(rf"^{path[1:]}/?$", doors.view, name=path[1:]) for path in sorted(doors.PATHS)),
    path("search/", palette.search, name="search"),
    path("search", RedirectView.as_view(pattern_name="search", query_string=True)),
    path("reports/", include("reports.urls")),
    path("", include("messaging.urls")),
    path("", include("tasks.pages.urls")),
]
