"""The admin as the UI for assignment. Its forms and actions call the verbs; nothing here writes state itself."""

from django.contrib import admin

from tasks.admin import agents, invitations, members, projects, questions, records, tasks, users

admin.site.site_header = "taskproject"
admin.site.site_title = "taskproject admin"
admin.site.index_title = "Work and agents"

__all__ = ["agents", "invitations", "members", "projects", "questions", "records", "tasks", "users"]
