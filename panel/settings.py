"""settings - Django's settings, and the panel's only reader of the environment.

SUMMARY      typed readers first, then the settings in the order of the Django manual
RULES        every variable is optional (DESIGN 4); a value that makes no sense stops the start with
             one line that names the variable. DEBUG is off, always: errors go to the log.
             No DATABASE_URL: the server that script/serve keeps under WAYPOST_HOME, by its socket.
             No CELERY_BROKER_URL: likewise. A deep WAYPOST_HOME makes a socket path longer than the
             system takes (107 bytes): script/serve then passes both URLs to its children.
ERRORS       ImproperlyConfigured
NOT DONE     anything about mail: that is rows, not settings; the engine reads its own
SOURCE       https://docs.djangoproject.com/en/5.2/ref/settings/
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent


# --- readers of the environment ------------------------------------------------------------------


def env_text(name: str, default: str = "") -> str:
    """The variable without blanks around it; an empty one counts as absent."""
    return os.environ.get(name, "").strip() or default


def env_words(name: str) -> list[str]:
    """The words of a list separated by commas or blanks."""
    return env_text(name).replace(",", " ").split()


def env_listener(name: str, default: str) -> tuple[str, int]:
    """(host, port) of "host:port"; an IPv6 host stands in brackets."""
    text = env_text(name, default)
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ImproperlyConfigured(f"{name} must look like 127.0.0.1:8000, not {text!r}.")
    return host.strip("[]"), int(port)


def env_database(home: Path) -> dict[str, Any]:
    """DATABASE_URL as an entry of DATABASES; Postgres is the only database (DESIGN 3)."""
    url = env_text("DATABASE_URL")
    if not url:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "waypost",
            "USER": "waypost",
            "HOST": str(home / "run"),
            "PORT": "5432",
        }
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(
            "DATABASE_URL must begin with postgresql://: Waypost runs on Postgres only."
        )
    database: dict[str, Any] = dict(environ.Env.db_url_config(url))
    database["ENGINE"] = "django.db.backends.postgresql"
    options = database.setdefault("OPTIONS", {})
    for name in ("host", "port"):  # a socket's directory is written as ?host=/run/postgresql
        if name in options:
            database[name.upper()] = str(options.pop(name))
    return database


BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")


def env_broker(home: Path) -> str:
    """CELERY_BROKER_URL, or the embedded server's socket."""
    url = env_text("CELERY_BROKER_URL", f"redis+socket://{home / 'run' / 'broker.sock'}")
    if urlsplit(url).scheme not in BROKER_SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in BROKER_SCHEMES)
        raise ImproperlyConfigured(f"CELERY_BROKER_URL must begin with one of {known}.")
    return url


def env_secret_key(home: Path) -> str:
    """WAYPOST_SECRET_KEY, or the key kept in WAYPOST_HOME/secret_key, made on first use (0600)."""
    if given := env_text("WAYPOST_SECRET_KEY"):
        if len(given) < 32:
            raise ImproperlyConfigured("WAYPOST_SECRET_KEY must have at least 32 characters.")
        return given
    kept = home / "secret_key"
    if not kept.exists():
        home.mkdir(parents=True, exist_ok=True)
        aside = home / f".secret_key.{os.getpid()}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(64))
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(aside, kept)  # several processes may start at once: the first one wins
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    key = kept.read_text().strip()
    if len(key) < 32:
        raise ImproperlyConfigured(f"{kept} is damaged; remove it to have a new key made.")
    return key


# --- Waypost -------------------------------------------------------------------------------------

WAYPOST_HOME = Path(env_text("WAYPOST_HOME", str(BASE_DIR / "var"))).expanduser().resolve()
WAYPOST_HTTP = env_listener("WAYPOST_HTTP", "127.0.0.1:8000")
WAYPOST_ADMIN_PASSWORD = env_text("WAYPOST_ADMIN_PASSWORD")  # read by `first_start` only

# --- core ----------------------------------------------------------------------------------------

DEBUG = False
SECRET_KEY = env_secret_key(WAYPOST_HOME)
NAMED_HOSTS = env_words("WAYPOST_ALLOWED_HOSTS")
ALLOWED_HOSTS = [*NAMED_HOSTS, "localhost", "127.0.0.1", "[::1]"]
# An administrator who named a host has TLS in front of it, and its forms come from https://host.
CSRF_TRUSTED_ORIGINS = [
    f"https://{'*' + host if host.startswith('.') else host}" for host in NAMED_HOSTS if host != "*"
]
ROOT_URLCONF = "panel.urls"
WSGI_APPLICATION = "panel.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold",  # before django.contrib.admin: it replaces its templates
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "pgtrigger",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "panel.apps.PanelConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "panel.middleware.BrowserRules",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "panel.middleware.Acting",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "panel" / "templates"],
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

DATABASES = {"default": env_database(WAYPOST_HOME)}
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# --- users and browsers --------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# The panel is reached by plain HTTP on loopback and by HTTPS from everywhere else. gunicorn tells
# which by X-Forwarded-Proto of a proxy on this machine; BrowserRules then marks the cookies Secure.
SESSION_COOKIE_NAME = "waypost_session"
SESSION_COOKIE_AGE = 12 * 3600  # seconds
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "waypost_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 30 * 24 * 3600  # sent over HTTPS only
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024  # bytes; bulk edits of 100,000 rows come in one body
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS is for this host, not for whatever else its domain holds
    "security.W021",
    "security.W008",  # no redirect to HTTPS: the panel on loopback has none
    "security.W012",  # Secure cookies: BrowserRules
    "security.W016",
]

# --- language, time, static files ----------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "panel" / "locale"]
FORMAT_MODULE_PATH = ["panel.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # served from where they are installed: no collectstatic
WHITENOISE_MAX_AGE = 3600  # seconds

# --- browser admin -------------------------------------------------------------------------------

UNFOLD: dict[str, Any] = {  # dotted names are called with the request
    "SITE_TITLE": "Waypost",
    "SITE_HEADER": "Waypost",
    "SITE_SUBHEADER": _("Mail server"),
    "SITE_SYMBOL": "signpost",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "panel.admin.sidebar.favicon"}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "BORDER_RADIUS": "6px",
    "GLOBAL_CALLBACK": "panel.admin.status.page_context",
    "DASHBOARD_CALLBACK": "panel.admin.dashboard.dashboard",
    "STYLES": ["panel.admin.sidebar.stylesheet"],
    "SCRIPTS": ["panel.admin.sidebar.script"],
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "panel.admin.sidebar.navigation",
    },
    "COLORS": {
        "primary": {
            "50": "oklch(97.1% .014 180)",
            "100": "oklch(94.2% .035 180)",
            "200": "oklch(88.6% .068 182)",
            "300": "oklch(81.6% .098 184)",
            "400": "oklch(71.5% .108 188)",
            "500": "oklch(60.8% .098 193)",
            "600": "oklch(50.2% .085 197)",
            "700": "oklch(42.6% .071 200)",
            "800": "oklch(36.5% .058 203)",
            "900": "oklch(31.6% .048 206)",
            "950": "oklch(23.0% .036 210)",
        },
    },
}

# --- REST ----------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["panel.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["panel.api.permissions.MayUse"],
    "DEFAULT_PARSER_CLASSES": ["panel.api.bodies.JsonBody"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "panel.api.filters.Search",
        "panel.api.filters.Ordering",
    ],
    "DEFAULT_PAGINATION_CLASS": "panel.api.paging.Pages",
    "DEFAULT_SCHEMA_CLASS": "panel.api.schema.RowSchema",
    "EXCEPTION_HANDLER": "panel.api.problems.answer",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Waypost",
    "DESCRIPTION": "Everything that the panel edits, for programs. See docs/API.md.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TableTypeEnum": "panel.choices.table_types",
        "TableKindEnum": "panel.choices.table_kinds",
        "ServiceTypeEnum": "panel.choices.ServiceType",
        "DomainKindEnum": "panel.choices.DomainKind",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Celery: read by panel/celery.py with the prefix CELERY_ -------------------------------------

CELERY_BROKER_URL = env_broker(WAYPOST_HOME)
CELERY_BROKER_CONNECTION_TIMEOUT = 4  # seconds
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {}
    if CELERY_BROKER_URL.startswith("amqp")  # real acknowledgements: nothing to tune
    else {
        # kombu's defaults bring an orphaned task back after an hour. Longer than any task's limit.
        "visibility_timeout": 300,  # seconds
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    }
)
CELERY_TASK_DEFAULT_QUEUE = "publish"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 240  # seconds; below visibility_timeout
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

# --- log -----------------------------------------------------------------------------------------


def _in_one_line(record: logging.LogRecord) -> bool:
    """A request that is refused (4xx) is no fault of ours: a line says it, and no traceback."""
    if getattr(record, "status_code", 500) < 500:
        record.exc_info = None
    return True


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "refusals": {"()": "django.utils.log.CallbackFilter", "callback": _in_one_line},
    },
    "formatters": {"line": {"format": "{levelname} {name} {message}", "style": "{"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "line",
            "filters": ["refusals"],
        },
    },
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # One line for each task received and done: the services log what they did.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
