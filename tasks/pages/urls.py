from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.generic import RedirectView

from taskproject.signing_in import SignInForm
from tasks.pages.account import PasswordView, account
from tasks.pages.agent import agent
from tasks.pages.agent_projects import agent_project
from tasks.pages.agents import agents
from tasks.pages.artifact import artifact
from tasks.pages.assigning import assign_task
from tasks.pages.board import board, board_changes
from tasks.pages.board_choices import choose_board
from tasks.pages.board_limits import set_limit
from tasks.pages.bulk import bulk
from tasks.pages.edit_field import edit_field
from tasks.pages.first_sign_in import first_sign_in, sign_in_link
from tasks.pages.first_steps import end_first_steps
from tasks.pages.invitations import invitations
from tasks.pages.join import join
from tasks.pages.list_columns import choose_columns
from tasks.pages.messages import (
    ack_message_view,
    edit_message_view,
    react_to_message,
    withdraw_message_view,
    write_message,
)
from tasks.pages.moves import moves
from tasks.pages.new_agent import new_agent
from tasks.pages.new_task import new_task, read_new_title
from tasks.pages.people import people
from tasks.pages.policies import compare_policies
from tasks.pages.projects import projects
from tasks.pages.question_link import question_link
from tasks.pages.questions import answer_question, question, questions_of_task
from tasks.pages.saved_views import change, delete, open_view, save, saved_views, side
from tasks.pages.task import task
from tasks.pages.task_list import task_list
from tasks.pages.tokens import tokens

urlpatterns = [
    path("", board, name="board"),
    path("board/changes", board_changes, name="board_changes"),
    path("board/<slug:key>/limit", set_limit, name="set_limit"),
    path("board/choices", choose_board, name="choose_board"),
    path("tasks/", task_list, name="task_list"),
    path("tasks/new/", new_task, name="new_task"),
    path("tasks/new", RedirectView.as_view(pattern_name="new_task", query_string=True)),
    path("tasks/new/reading", read_new_title, name="read_new_title"),
    path("tasks/bulk", bulk, name="task_bulk"),
    path("tasks/columns", choose_columns, name="choose_columns"),
    path("views/", saved_views, name="saved_views"),
    path("views/side", side, name="saved_views_side"),
    path("views/save", save, name="save_view"),
    path("views/<int:id>/", open_view, name="saved_view"),
    path("views/<int:id>/change", change, name="change_view"),
    path("views/<int:id>/delete", delete, name="delete_view"),
    path("tasks/<slug:ref>", task, name="task"),
    path("tasks/<slug:ref>/artifacts/<int:pk>", artifact, name="artifact"),
    path("tasks/<slug:ref>/edit/<slug:name>", edit_field, name="edit_field"),
    path("tasks/<slug:ref>/moves", moves, name="task_moves"),
    path("tasks/<slug:ref>/assign", assign_task, name="assign_task"),
    path("tasks/<slug:ref>/questions", questions_of_task, name="task_questions"),
    path("questions/<int:pk>", question, name="question"),
    path("questions/<int:pk>/answer", answer_question, name="answer_question"),
    path("tasks/<slug:ref>/", RedirectView.as_view(pattern_name="task", query_string=True)),
    path("messages/<str:name>/write", write_message, name="write_message"),
    path("messages/<int:name>/edit", edit_message_view, name="edit_message"),
    path("messages/<int:name>/withdraw", withdraw_message_view, name="withdraw_message"),
    path("messages/<int:name>/ack", ack_message_view, name="ack_message"),
    path("messages/<int:name>/react", react_to_message, name="react_to_message"),
    path("agents/", agents, name="agents"),
    path("agents/<str:slug>", agent, name="agent"),
    path("agents/<str:slug>/projects", agent_project, name="agent_project"),
    path("invitations/", invitations, name="invitations"),
    path("agents/<str:slug>/tokens", tokens, name="agent_tokens"),
    path("agents/<str:slug>/sign_in_link", sign_in_link, name="sign_in_link"),
    path("q/<str:token>", question_link, name="question_link"),
    path("account/", account, name="account"),
    path("account/password/", PasswordView.as_view(), name="password"),
    path("join/<str:secret>", join, name="join"),
    path("projects/", projects, name="projects"),
    path("first_steps/end", end_first_steps, name="end_first_steps"),
    path("projects/<str:key>/agents/new", new_agent, name="new_agent"),
    path("projects/<str:key>/people/", people, name="people"),
    path("first_sign_in/<str:uid>/<str:token>", first_sign_in, name="first_sign_in"),
    path("assignment/", compare_policies, name="compare_policies"),
    path("login/", LoginView.as_view(authentication_form=SignInForm, redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
