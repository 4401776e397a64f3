"""How requests reach Django: from ASGI to pooled WSGI threads, within bounds. Knows nothing of the apps."""
