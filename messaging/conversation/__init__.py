"""Conversations as their readers use them: which there are, how far they have read, who is there."""
