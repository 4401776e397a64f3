"""The conventions that every endpoint keeps: JSON, errors, pages, limits.

Of ours it knows the domain's errors alone.
"""
