"""How requests reach Django: the bridge from ASGI to pooled WSGI threads, the body limit, and the server of ``up``."""
