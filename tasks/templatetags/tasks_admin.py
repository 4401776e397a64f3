"""Our template tags for the admin."""

from django import template

from tasks.admin.columns import when
from tasks.events.words import sentence

register = template.Library()
register.filter("sentence", sentence)
register.filter("when", lambda value: when(value))
