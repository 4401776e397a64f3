"""Whose saved reports and dashboards are: as everything that people define and keep."""

from tasks.owning import HasChanged, lock_what_is_of, may_edit, may_share_with, require_free_name, validate

__all__ = ["HasChanged", "lock_what_is_of", "may_edit", "may_share_with", "require_free_name", "validate"]
