"""Settings from the environment or ``.env``; a missing or invalid one aborts the start with one sentence."""

import contextlib
import ipaddress
import os
import secrets
import sys
import tempfile
import warnings
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import django
import environ
import limits
from django.core.exceptions import ImproperlyConfigured

from taskproject import postgresql, sqlite

sqlite.use_newest_library()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")


def _flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in ("", *(("1", "true", "yes", "on") if default else ("0", "false", "no", "off"))):
        return default
    if value in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return not default
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def _whole_number(name: str, *, default: int, most: int = 36_500) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise ImproperlyConfigured(f"{name} must be a whole number from 1 to {most}, not {text!r}.")
    return int(text)


def _data_dir() -> Path:
    path = Path(os.environ.get("DATA_DIR") or BASE_DIR / "data").expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {path} cannot be created ({error.strerror}); set DATA_DIR to a writable folder."
        ) from error
    return path


def _create_whole(path: Path, text: str) -> None:
    """Create a file that only its owner may read, unless it exists; nobody ever sees it empty, even after a crash."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _secret_key() -> str:
    """SECRET_KEY from the environment, else the one stored in DATA_DIR, created at the first start (mode 0600)."""
    if key := os.environ.get("SECRET_KEY"):
        if len(key) < 32:
            raise ImproperlyConfigured("SECRET_KEY must have at least 32 characters.")
        return key
    path = DATA_DIR / "secret_key"
    try:
        if not path.exists():
            _create_whole(path, secrets.token_urlsafe(50))
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {DATA_DIR} cannot be written ({error.strerror}); set DATA_DIR to a writable folder."
        ) from error
    try:
        key = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"The secret key {path} cannot be read ({error.strerror}).") from error
    if len(key) < 32:
        raise ImproperlyConfigured(f"The secret key in {path} is too short; remove the file to have a new one created.")
    return key


def _fallback_keys() -> list[str]:
    keys = env.list("SECRET_KEY_FALLBACKS", default=[])
    if any(len(key) < 32 for key in keys):
        raise ImproperlyConfigured("Each of SECRET_KEY_FALLBACKS must have at least 32 characters.")
    return keys


def _networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for text in env.list(name, default=[]):
        try:
            networks.append(ipaddress.ip_network(text.strip()))
        except ValueError:
            raise ImproperlyConfigured(f"{name}: {text!r} must be a network such as 10.1.0.0/16.") from None
    return networks


def _database() -> dict:
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'taskproject.sqlite3'}"
    scheme = url.split(":", 1)[0]
    if scheme not in ("sqlite", "postgres", "postgresql"):
        raise ImproperlyConfigured("DATABASE_URL must start with sqlite:/// or postgresql://.")
    try:
        config = environ.Env.db_url_config(url)
    except Exception as error:
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read; write postgresql://user:password@host:5432/name or sqlite:///path."
        ) from error
    if not config.get("NAME"):
        raise ImproperlyConfigured("DATABASE_URL does not name a database; add it as the last part of the URL.")
    if scheme == "sqlite":
        # IMMEDIATE: a transaction that reads before it writes would otherwise fail at once with
        # "database is locked", whatever the timeout, when another one wrote in between.
        options = {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": sqlite.init_command()}
        config |= {"ENGINE": sqlite.ENGINE, "OPTIONS": options, "CONN_MAX_AGE": None}
        # Tests run on a file too: a database in memory shares one cache and locks differently.
        config["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
    else:
        config |= {"ENGINE": postgresql.ENGINE, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
        options = postgresql.CONNECTION | config.get("OPTIONS", {}) | {"application_name": "taskproject"}
        # The last setting wins, so the URL's own options override ours.
        options["options"] = f"{postgresql.SETTINGS} {options.get('options', '')}".strip()
        config["OPTIONS"] = options
    return config


def _time_zone() -> str:
    name = os.environ.get("TIME_ZONE") or "UTC"
    if name not in available_timezones():
        raise ImproperlyConfigured(f"TIME_ZONE {name!r} is unknown; use a name such as Europe/Berlin.")
    return name


def _redis_url() -> str:
    url = os.environ.get("REDIS_URL", "")
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured("REDIS_URL must start with redis://, rediss:// or unix://.")
    return url


def _public_url() -> str:
    url = (os.environ.get("PUBLIC_URL") or "").strip().rstrip("/")
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query):
        raise ImproperlyConfigured(f"PUBLIC_URL must be an address such as https://tasks.example.org, not {url!r}.")
    return url


def _email() -> dict:
    """Django's settings of e-mail, of EMAIL_URL; without it mails are printed."""
    url = os.environ.get("EMAIL_URL") or "consolemail://"
    schemes = sorted(environ.Env.EMAIL_SCHEMES)
    if url.split("://", 1)[0] not in schemes:
        raise ImproperlyConfigured(
            "EMAIL_URL must start with smtp://, smtp+tls://, smtp+ssl:// or consolemail://, as in "
            "smtp+tls://user:password@mail.example.org:587."
        )
    try:
        return dict(environ.Env.email_url_config(url)) | {"EMAIL_TIMEOUT": 20}
    except Exception as error:
        raise ImproperlyConfigured(
            "EMAIL_URL cannot be read; write smtp+tls://user:password@mail.example.org:587, with special characters "
            "of the password as %40."
        ) from error


def _mailer(email: dict) -> dict:
    """The same settings as Django 6.1 and later name them."""
    names = {
        "EMAIL_HOST": "host",
        "EMAIL_PORT": "port",
        "EMAIL_HOST_USER": "username",
        "EMAIL_HOST_PASSWORD": "password",
        "EMAIL_USE_TLS": "use_tls",
        "EMAIL_USE_SSL": "use_ssl",
        "EMAIL_TIMEOUT": "timeout",
    }
    options = {option: email[name] for name, option in names.items() if email.get(name) is not None}
    return {"BACKEND": email["EMAIL_BACKEND"], "OPTIONS": options if _is_smtp(email) else {}}


def _is_smtp(email: dict) -> bool:
    return bool(email["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend")


def _mail_sender() -> str:
    sender = os.environ.get("DEFAULT_FROM_EMAIL") or "taskproject@localhost"
    if "\n" in sender or "\r" in sender or "@" not in parseaddr(sender)[1]:
        raise ImproperlyConfigured("DEFAULT_FROM_EMAIL must be an e-mail address, as in Tasks <tasks@example.org>.")
    return sender


DATA_DIR = _data_dir()
DEBUG = _flag("DEBUG", default=False)
SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = _fallback_keys()
REDIS_URL = _redis_url()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
for _host in ALLOWED_HOSTS:
    if "/" in _host or not _host.strip():
        raise ImproperlyConfigured(
            f"ALLOWED_HOSTS: {_host!r} must be a name such as tasks.example.org, without https://."
        )
# The address by which people reach the server: links in e-mails start with it. Without it they have none.
PUBLIC_URL = _public_url()
DEFAULT_FROM_EMAIL = _mail_sender()
_EMAIL = _email()
# Whether mails leave the house; else they are printed.
SENDS_MAIL = _is_smtp(_EMAIL)
if django.VERSION >= (6, 1):
    MAILERS = {"default": _mailer(_EMAIL)}
else:
    globals().update(_EMAIL)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
for _origin in CSRF_TRUSTED_ORIGINS:
    if not _origin.startswith(("http://", "https://")):
        raise ImproperlyConfigured(f"CSRF_TRUSTED_ORIGINS: {_origin!r} must start with https:// or http://.")

INSTALLED_APPS = [
    # The server of `runserver` alone: Twisted would be a third of what every other process imports.
    *(["daphne"] if "runserver" in sys.argv[1:] else []),
    "taskproject.apps.TaskprojectConfig",
    "tasks.apps.TasksConfig",
    "messaging.apps.MessagingConfig",
    "reports.apps.ReportsConfig",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]
SESSION_ENGINE = "taskproject.sessions"

MIDDLEWARE = [
    "taskproject.watch.recording.NotesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "taskproject.middleware.ContentSecurityPolicyMiddleware",
    "taskproject.middleware.AddressLengthMiddleware",
    "taskproject.middleware.TokenMiddleware",
    "taskproject.signing_in.SignInMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "taskproject.middleware.CompressionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "taskproject.last_seen.LastSeenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "taskproject.middleware.ReaderZoneMiddleware",
    "messaging.stream.middleware.StreamCursorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "taskproject.api.idempotency.IdempotencyMiddleware",
]

# What a call of the API with a token still goes through, after TokenMiddleware.
API_MIDDLEWARE = [
    "taskproject.middleware.CompressionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "taskproject.api.idempotency.IdempotencyMiddleware",
]

ROOT_URLCONF = "taskproject.urls"
WSGI_APPLICATION = "taskproject.wsgi.application"
ASGI_APPLICATION = "taskproject.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The channel layer only rings the bell ("there is news"); the event table is the truth.
CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # Redis channels ignore database numbers: without it two sites on one Redis would ring for each other.
            "CONFIG": {"hosts": [REDIS_URL], "prefix": f"taskproject{urlsplit(REDIS_URL).path}"},
        }
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "board"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = _time_zone()
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "taskproject.static_files.HashedStaticFiles"},
}
WHITENOISE_USE_FINDERS = True
# Without `collectstatic` the finders serve the files; its missing folder needs no warning.
warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)

# How many requests one process answers at a time, each in a thread with its own database connection: HTTP_THREADS + 5
# connections a process must stay below what the database allows. Calls that wait hold no thread; under a plain WSGI
# server, where they do, at most HTTP_WAITING wait at a time.
HTTP_THREADS = _whole_number("HTTP_THREADS", default=24, most=500)
HTTP_WAITING = _whole_number("HTTP_WAITING", default=32, most=500)

# Set USE_TLS=true behind a proxy that terminates TLS: cookies become secure and the proxy's header is trusted.
USE_TLS = _flag("USE_TLS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USE_TLS
SECURE_HSTS_SECONDS = 31_536_000 if USE_TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if USE_TLS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Decided by the proxy that terminates TLS: redirects to https, subdomains, the browsers' preload list.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tasks.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "taskproject.api.negotiation.Negotiation",
    "DEFAULT_RENDERER_CLASSES": ["taskproject.api.renderers.JSONRenderer"],
    # Times stay times: the renderer writes them.
    "DATETIME_FORMAT": None,
    "DEFAULT_PARSER_CLASSES": ["taskproject.api.renderers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "taskproject.api.pagination.CursorPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_THROTTLE_CLASSES": ["taskproject.api.throttling.CallerThrottle"],
    "DEFAULT_METADATA_CLASS": "taskproject.api.metadata.AllowedMethods",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "taskproject.api.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
# Requests per caller, in the notation of the `limits` library.
API_RATE_LIMIT = os.environ.get("API_RATE_LIMIT") or "6000/minute"
try:
    limits.parse(API_RATE_LIMIT)
except ValueError:
    raise ImproperlyConfigured(f"API_RATE_LIMIT {API_RATE_LIMIT!r} cannot be read; write it as 6000/minute.") from None


def _metrics_token() -> str:
    token = os.environ.get("METRICS_TOKEN", "")
    if token and not (len(token) >= 16 and token.isascii() and token.isprintable() and " " not in token):
        raise ImproperlyConfigured("METRICS_TOKEN must have at least 16 characters, all ASCII and without spaces.")
    return token


def _metrics_dir() -> str:
    folder = os.environ.get("METRICS_DIR", "")
    if folder:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImproperlyConfigured(
                f"METRICS_DIR {folder} cannot be created ({error.strerror}); name a writable folder."
            ) from error
        # Read by prometheus_client when it is imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder


# Without a token, /metrics is for direct requests from this machine. The folder is where several processes put what
# they count, so that any of them answers for all; empty it when they start.
METRICS_TOKEN = _metrics_token()
METRICS_DIR = _metrics_dir()

# How many days of the stream are replayed from a cursor. What happened to tasks and projects is kept; what only told
# somebody's open pages is deleted then.
EVENT_RETENTION_DAYS = _whole_number("EVENT_RETENTION_DAYS", default=7)
# How many days after the end of its task a decision of automatic assignment is kept.
DECISION_RETENTION_DAYS = _whole_number("DECISION_RETENTION_DAYS", default=90)
# How many days a notification is kept, once it was read and if it never is.
NOTIFICATION_RETENTION_DAYS = _whole_number("NOTIFICATION_RETENTION_DAYS", default=90)
UNREAD_NOTIFICATION_RETENTION_DAYS = _whole_number("UNREAD_NOTIFICATION_RETENTION_DAYS", default=365)
# How many days a mail stays in the outbox once it was sent or given up.
MAIL_RETENTION_DAYS = _whole_number("MAIL_RETENTION_DAYS", default=30)

# The networks inside to which webhooks may lead, also over http; otherwise only https to the internet.
WEBHOOK_PRIVATE_NETWORKS = _networks("WEBHOOK_PRIVATE_NETWORKS")
# How many days a delivery is kept once it is over.
WEBHOOK_RETENTION_DAYS = _whole_number("WEBHOOK_RETENTION_DAYS", default=30)

SPECTACULAR_SETTINGS = {
    "TITLE": "taskproject",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "GET_LIB_DOC_EXCLUDES": "taskproject.api.schema.excluded_docstrings",
    "PREPROCESSING_HOOKS": ["taskproject.api.schema.without_trailing_slash"],
    "POSTPROCESSING_HOOKS": ["taskproject.api.schema.add_conventions", "taskproject.api.schema.say_what_is_strict"],
    "DESCRIPTION": (
        "Hand out work to LLM agents and people. Authenticate with `Authorization: Bearer <token>`. Every answer has "
        "an `X-Request-ID`: yours if you send one of up to 64 letters, digits, dots, dashes and underscores. Quote it "
        "when you report a fault. Outside this path: `/healthz` (alive), `/readyz` (ready, or 503 and why not), "
        "`/metrics` (Prometheus)."
    ),
    "TAGS": [
        {"name": "work", "description": "Claim, renew the lease, report, finish."},
        {"name": "tasks", "description": "What there is to do."},
        {"name": "questions", "description": "What runs need to know from people, and the answers."},
        {"name": "review", "description": "Judge results."},
        {"name": "events", "description": "Everything that happened, in order."},
        {"name": "inbox", "description": "What needs you, until it is done."},
        {"name": "notifications", "description": "What concerns you, until you read it."},
        {"name": "team", "description": "Your account, projects, agents, tokens, skills."},
        {"name": "webhooks", "description": "Events sent to addresses outside."},
        {"name": "views", "description": "What people keep of the list and the board."},
        {"name": "reports", "description": "Figures on what was done."},
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOG_FORMAT = os.environ.get("LOG_FORMAT") or "text"
if LOG_FORMAT not in ("text", "json"):
    raise ImproperlyConfigured(f"LOG_FORMAT must be text or json, not {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "outages_apart": {"()": "taskproject.outages.OutagesApart"},
        "routes_not_paths": {"()": "taskproject.logs.RoutesNotPaths"},
    },
    "formatters": {"text": {"()": "taskproject.logs.Plain"}, "json": {"()": "taskproject.logs.Json"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["routes_not_paths"]},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # uvicorn sets its own handlers, which write what they get as it is.
        **{name: {"handlers": [], "propagate": True} for name in ("uvicorn", "uvicorn.error", "uvicorn.access")},
        # A line for each request, where a program reads the log.
        "taskproject.request": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
        # Refusals are part of the API's normal operation; the log is for what is broken.
        "django.request": {"level": "ERROR", "filters": ["outages_apart"]},
        # Scanners send arbitrary hosts; each gets a 400 and no traceback in the log.
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
        # While Redis is away it logs a traceback every second; the bell says once that it is, and once that it is back.
        "channels_redis.pubsub": {"level": "CRITICAL"},
    },
}
