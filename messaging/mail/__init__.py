"""E-mail about notifications: what a mail says, when it is sent, and how it is stopped."""
