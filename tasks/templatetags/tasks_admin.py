"""What the admin's templates need of ours."""

from django import template

from tasks.admin.columns import when
from tasks.admin.wording import told

register = template.Library()
register.filter("told", told)
register.filter("when", lambda value: when(value))
