from django.contrib import admin
from django.urls import include, path

from taskproject.signing_in import AdminSignInForm, OwnPasswordView

admin.site.login_form = AdminSignInForm

handler500 = "taskproject.failures.server_error"

urlpatterns = [
    path("admin/password_change/", admin.site.admin_view(OwnPasswordView.as_view())),
    path("admin/", admin.site.urls),
    path("api/v1/", include("taskproject.api_urls")),
    path("reports/", include("reports.urls")),
    path("", include("messaging.urls")),
    path("", include("tasks.pages.urls")),
]
