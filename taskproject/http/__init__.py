"""How requests reach Django: from ASGI to pooled WSGI threads, within limits. Knows nothing about the apps."""
