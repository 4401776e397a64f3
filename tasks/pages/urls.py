from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from tasks.pages.agents import agents
from tasks.pages.board import board
from tasks.pages.task import task

urlpatterns = [
    path("", board, name="board"),
    path("tasks/<slug:ref>", task, name="task"),
    path("agents/", agents, name="agents"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
