"""Settings, read from the environment and from `.env`; env.example documents each of them.

Nothing needs to be set on a developer's machine. On a public address (RESOURCE_SERVER_URL) the
defaults turn strict: see `mcpsite.core.conf`. A variable that is set but empty has its default. All mistakes
are reported together, at the end.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import global_settings

from mcpsite.access import algorithms, limits, pem, scopes
from mcpsite.access.oauth import conf as oauth
from mcpsite.access.signin import conf as signin
from mcpsite.core import conf, own_apps, read_only_databases, storages, tracing
from mcpsite.core.environment import Environment
from mcpsite.core.values import (
    TEN_YEARS,
    choice,
    decimal,
    file,
    flag,
    folder,
    host,
    host_pattern,
    https_origin,
    long_secret,
    origin,
    secrets_between_commas,
    url,
    whole,
    words,
)
from mcpsite.web import csp, look
from transcripts.stores import base as stores

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env = Environment(Path(os.environ.get("ENV_FILE") or BASE_DIR / ".env"), os.environ)

# State that is made at run time and never committed: the database, the keys.
STATE_DIR = env.read("STATE_DIR", folder(BASE_DIR), BASE_DIR / "var")
_database_url = env.text("DATABASE_URL", f"sqlite:///{quote(str(STATE_DIR / 'db.sqlite3'))}")
# Whether processes on several hosts may share the database; then nothing has to be stored in STATE_DIR.
_shared_database = conf.is_postgresql(_database_url)
if not (_shared_database and env.text("SECRET_KEY")):
    env.derive(None, conf.make_folder, "STATE_DIR", STATE_DIR)

# The public face
HOST = env.read("HOST", host, "localhost")
PORT = env.read("PORT", whole(1, 65_535), 8788)
RESOURCE_SERVER_URL = env.derive(
    f"http://localhost:{PORT}/mcp",
    conf.resource_url,
    env.text("RESOURCE_SERVER_URL", f"http://localhost:{PORT}"),
)
SITE_URL = conf.origin_of(RESOURCE_SERVER_URL)
PUBLIC = not conf.is_loopback(RESOURCE_SERVER_URL)
DEBUG = env.read("DEBUG", flag, not PUBLIC)
SECRET_KEY = env.derive(
    "", conf.secret_key, env.text("SECRET_KEY"), STATE_DIR / "secret_key", required=not DEBUG
)
# Earlier ones: what was signed or encrypted with them stays good.
SECRET_KEY_FALLBACKS: list[str] = env.read("SECRET_KEY_FALLBACKS", secrets_between_commas, [])
ALLOWED_HOSTS = conf.allowed_hosts(RESOURCE_SERVER_URL, env.read("ALLOWED_HOSTS", words(host_pattern), []))
ALLOWED_ORIGINS = conf.allowed_origins(RESOURCE_SERVER_URL, env.read("ALLOWED_ORIGINS", words(origin), []))
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SITE_URL.startswith("https://") else None
# mcpsite.web.https redirects, and knows a proxy that says nothing.
SILENCED_SYSTEM_CHECKS = ["security.W008"] if SITE_URL.startswith("https://") else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_URL.startswith("https://")
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = env.read(
    "SECURE_HSTS_SECONDS", whole(0, TEN_YEARS), 31_536_000 if SITE_URL.startswith("https://") else 0
)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# What OpenAI expects at /.well-known/openai-apps-challenge before an app is published
OPENAI_APPS_CHALLENGE = env.text("OPENAI_APPS_CHALLENGE")

# Tokens (client-contract 14 to 18)
AUTH0_ISSUER = env.text("AUTH0_ISSUER")
JWT_AUDIENCES = env.read("JWT_AUDIENCES", words(str), [RESOURCE_SERVER_URL])
REQUIRED_SCOPES: list[str] = env.read("REQUIRED_SCOPES", words(str), [])
TOOL_SCOPES = env.derive({}, conf.assignments, "TOOL_SCOPES", env.text("TOOL_SCOPES"))
env.derive(None, scopes.check_setting, TOOL_SCOPES)
JWT_ALGORITHMS = env.read("JWT_ALGORITHMS", words(str), ["RS256"])
env.derive(None, algorithms.allowed, JWT_ALGORITHMS)
# The default is the longest that any common provider can be set to (Auth0: thirty days).
JWT_MAX_LIFETIME_SECONDS = env.read("JWT_MAX_LIFETIME_SECONDS", whole(1, TEN_YEARS), 30 * 24 * 3600)
JWKS_MAX_STALE_SECONDS = env.read("JWKS_MAX_STALE_SECONDS", whole(0, TEN_YEARS), 6 * 3600)
MIRROR_ISSUER_METADATA = env.read("MIRROR_ISSUER_METADATA", flag, False)
# The keys of the site's own tokens: from here, else from a file that exists (on SQLite one is made), else
# from the database, which all processes share.
SIGNING_KEYS = env.derive("", pem.setting, env.text("SIGNING_KEYS"), BASE_DIR)
SIGNING_KEY_FILE = env.read(
    "SIGNING_KEY_FILE",
    file(BASE_DIR),
    conf.signing_key_file(STATE_DIR / "signing_key.pem", shared=_shared_database),
)
AUTHORIZATION_SERVER = env.derive(
    "",
    conf.authorization_server,
    env.text("AUTHORIZATION_SERVER"),
    AUTH0_ISSUER,
    url=RESOURCE_SERVER_URL,
    debug=DEBUG,
)

# Opaque tokens: the issuer is asked about them (RFC 7662)
INTROSPECTION_CLIENT_ID = env.text("INTROSPECTION_CLIENT_ID")
INTROSPECTION_CLIENT_SECRET = env.text("INTROSPECTION_CLIENT_SECRET")
INTROSPECTION_ENDPOINT = env.derive(
    "",
    conf.introspection_endpoint,
    env.text("INTROSPECTION_ENDPOINT"),
    issuer=AUTH0_ISSUER,
    client_id=INTROSPECTION_CLIENT_ID,
    client_secret=INTROSPECTION_CLIENT_SECRET,
)
INTROSPECTION_REQUIRE_AUDIENCE = env.read("INTROSPECTION_REQUIRE_AUDIENCE", flag, True)

# The built-in authorization server (only without AUTH0_ISSUER)
OAUTH_SCOPES: list[str] = env.read("OAUTH_SCOPES", words(str), [])
OAUTH_ACCESS_TOKEN_SECONDS = env.read("OAUTH_ACCESS_TOKEN_SECONDS", whole(1, TEN_YEARS), 3600)
OAUTH_REFRESH_TOKEN_SECONDS = env.read("OAUTH_REFRESH_TOKEN_SECONDS", whole(1, TEN_YEARS), 90 * 24 * 3600)
# How long a stolen refresh token works beside its owner's.
OAUTH_REFRESH_GRACE_SECONDS = env.read("OAUTH_REFRESH_GRACE_SECONDS", whole(0, 120), 90)
OAUTH_REGISTRATIONS_PER_HOUR = env.read("OAUTH_REGISTRATIONS_PER_HOUR", whole(0, 1_000_000), 30)
OAUTH_TRUSTED_CLIENT_HOSTS: list[str] = env.read("OAUTH_TRUSTED_CLIENT_HOSTS", words(host_pattern), [])

# Identities: who a token's subject is in this site
ACCESS_AUTO_CREATE_USERS = env.read("ACCESS_AUTO_CREATE_USERS", flag, True)
# The one variable for which empty has a meaning: somebody took the group away and must not get it back.
ACCESS_DEFAULT_GROUP = env.text(
    "ACCESS_DEFAULT_GROUP", "" if env.is_set("ACCESS_DEFAULT_GROUP") else "readers"
)
ACCESS_GROUPS_CLAIM = env.text("ACCESS_GROUPS_CLAIM")

# People: who signs in to the site's own pages, and for how long
OIDC_RP_CLIENT_ID = env.text("OIDC_RP_CLIENT_ID")
OIDC_RP_CLIENT_SECRET = env.text("OIDC_RP_CLIENT_SECRET")
OIDC_ISSUER = env.derive(
    "",
    signin.oidc_issuer,
    env.text("OIDC_ISSUER"),
    client_id=OIDC_RP_CLIENT_ID,
    client_secret=OIDC_RP_CLIENT_SECRET,
    auth0_issuer=AUTH0_ISSUER,
)
OIDC_SIGN_IN_NAME = env.text("OIDC_SIGN_IN_NAME")
OIDC_RP_SCOPES = env.derive("", signin.scopes, env.text("OIDC_RP_SCOPES", "openid profile email"))
OIDC_RP_SIGN_ALGO = env.derive("", signin.algorithm, env.text("OIDC_RP_SIGN_ALGO", "RS256"))
OIDC_GROUPS_CLAIM = env.text("OIDC_GROUPS_CLAIM", ACCESS_GROUPS_CLAIM or "groups")
OIDC_STAFF_GROUP = env.text("OIDC_STAFF_GROUP")
OIDC_SUPERUSER_GROUP = env.text("OIDC_SUPERUSER_GROUP")
OIDC_RENEW_SECONDS = env.read("OIDC_RENEW_SECONDS", whole(1, TEN_YEARS), 900)
OIDC_GRACE_SECONDS = env.read("OIDC_GRACE_SECONDS", whole(0, TEN_YEARS), 900)
OIDC_TIMEOUT = env.read("OIDC_TIMEOUT", decimal(0.001, 600), 10.0)
OIDC_USE_PKCE = True
SIGN_IN_SECONDS = env.read("SIGN_IN_SECONDS", whole(60, TEN_YEARS), 12 * 3600)
SESSION_COOKIE_AGE = SIGN_IN_SECONDS
PASSWORD_SIGN_IN = env.read("PASSWORD_SIGN_IN", flag, True)
AUTHENTICATION_BACKENDS = env.derive(
    [], signin.backends, client_id=OIDC_RP_CLIENT_ID, password=PASSWORD_SIGN_IN
)
SUPPORT_CONTACT = env.text("SUPPORT_CONTACT")

# The MCP server
MCP_THREADS = env.read("MCP_THREADS", whole(1, 1000), 8)
MCP_DEADLINE_SECONDS = env.read("MCP_DEADLINE_SECONDS", decimal(0.001, 86_400), 45.0)
MCP_MAX_RESULT_BYTES = env.read("MCP_MAX_RESULT_BYTES", whole(1024, 1024**3), 150_000)
MCP_MAX_RESULT_TOKENS = env.read("MCP_MAX_RESULT_TOKENS", whole(1000, 1024**3), 25_000)
MCP_MAX_BODY_BYTES = env.read("MCP_MAX_BODY_BYTES", whole(1024, 64 * 1024**2), 256 * 1024)
# The origin under which ChatGPT shows views; Claude refuses a view that names any but its own.
OPENAI_WIDGET_DOMAIN = env.read("OPENAI_WIDGET_DOMAIN", https_origin, "")

# Limits: rates like 120/minute, or none; calls at once in each process, or 0 for any number.
# On a loopback address the only caller is the developer, so the default is none.
RATE_LIMIT = env.text("RATE_LIMIT", "120/minute" if PUBLIC else "none")
env.derive(None, limits.rate, "RATE_LIMIT", RATE_LIMIT)
TOOL_RATE_LIMITS = env.derive({}, conf.assignments, "TOOL_RATE_LIMITS", env.text("TOOL_RATE_LIMITS"))
env.derive(None, limits.tool_rates, TOOL_RATE_LIMITS)
REQUEST_RATE_LIMIT = env.text("REQUEST_RATE_LIMIT", "600/minute" if PUBLIC else "none")
env.derive(None, limits.rate, "REQUEST_RATE_LIMIT", REQUEST_RATE_LIMIT)
CONCURRENT_CALLS = env.read("CONCURRENT_CALLS", whole(0, 1_000_000), 8 if PUBLIC else 0)
FAILED_AUTH_RATE_LIMIT = env.text("FAILED_AUTH_RATE_LIMIT", "30/minute" if PUBLIC else "none")
env.derive(None, limits.rate, "FAILED_AUTH_RATE_LIMIT", FAILED_AUTH_RATE_LIMIT)
# Wrong passwords, from one address and for one account
FAILED_SIGN_IN_RATE_LIMIT = env.text("FAILED_SIGN_IN_RATE_LIMIT", "20/minute")
env.derive(None, limits.rate, "FAILED_SIGN_IN_RATE_LIMIT", FAILED_SIGN_IN_RATE_LIMIT)
FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = env.text("FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT", "30/hour")
env.derive(None, limits.rate, "FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT", FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT)

# Data
TREND_DATA_DIR = env.read("TREND_DATA_DIR", folder(BASE_DIR), BASE_DIR / "data" / "airfare")
TRANSCRIPT_DATA_DIR = env.read("TRANSCRIPT_DATA_DIR", folder(BASE_DIR), BASE_DIR / "data" / "transcripts")
# For how long the load that another one replaced is kept and can be made current again
LOAD_UNDO_HOURS = env.read("LOAD_UNDO_HOURS", decimal(0, 8_784), 24.0)

# For how many days `daily` keeps tool calls and changes; 0: for ever
AUDIT_KEEP_DAYS = env.read("AUDIT_KEEP_DAYS", whole(0, 36_500), 0)
HISTORY_KEEP_DAYS = env.read("HISTORY_KEEP_DAYS", whole(0, 36_500), 0)

# Files that people upload in the admin: in a folder, in the database or in a bucket, served to nobody
UPLOAD_DIR = env.read("UPLOAD_DIR", folder(BASE_DIR), STATE_DIR / "uploads")
UPLOAD_MAX_MB = env.read("UPLOAD_MAX_MB", whole(1, 1_000_000), 200)
UPLOAD_STORAGE = env.derive(
    {"BACKEND": storages.FOLDER},
    storages.upload_storage,
    env.text("UPLOAD_STORAGE"),
    otherwise="database" if _shared_database and not env.text("UPLOAD_DIR") else "folder",
    megabytes=UPLOAD_MAX_MB,
)
# What a waiting request may use of memory; the rest of it is on disk.
FILE_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 1000  # the form says it in a friendlier way
UPLOAD_KEEP_DAYS = env.read("UPLOAD_KEEP_DAYS", whole(0, 36_500), 30)
# Whether the site starts `process_uploads` itself
UPLOAD_AUTOSTART = env.read("UPLOAD_AUTOSTART", flag, True)

# Where transcripts are searched: one of STORES or a dotted path; empty: openai if its key and id are set
TRANSCRIPT_STORE = env.read("TRANSCRIPT_STORE", stores.store_name, "")
TRANSCRIPT_STORE_FALLBACK = env.read("TRANSCRIPT_STORE_FALLBACK", flag, True)
# How long a store that failed is left alone; longer if it fails again. 0: each search asks it.
TRANSCRIPT_STORE_PAUSE_SECONDS = env.read("TRANSCRIPT_STORE_PAUSE_SECONDS", decimal(0, 300), 30.0)

# The vector store
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.read("OPENAI_BASE_URL", url, "")
VECTOR_STORE_ID = env.text("VECTOR_STORE_ID")
OPENAI_TIMEOUT_SECONDS = env.read("OPENAI_TIMEOUT_SECONDS", decimal(0.001, 3600), 20.0)
OPENAI_CONCURRENCY = env.read("OPENAI_CONCURRENCY", whole(1, 1000), 8)
# OpenAI's own limits, for an account or a vector store; raise them if the account's are higher.
OPENAI_UPLOADS_PER_MINUTE = env.read("OPENAI_UPLOADS_PER_MINUTE", whole(1, 1_000_000), 1000)
OPENAI_ATTACHES_PER_MINUTE = env.read("OPENAI_ATTACHES_PER_MINUTE", whole(1, 1_000_000), 300)
# The store pgvector: where the vectors are, and what makes them, at OPENAI_BASE_URL
PGVECTOR_URL = env.text("PGVECTOR_URL")
EMBEDDINGS_MODEL = env.text("EMBEDDINGS_MODEL") or "text-embedding-3-small"
# Refuse answers that differ from OpenAI's documented form: for trying another server.
OPENAI_STRICT_ANSWERS = env.read("OPENAI_STRICT_ANSWERS", flag, False)

# Folders of the site's own apps, which no update of the site touches
APPS_DIR = env.read("APPS_DIR", words(folder(BASE_DIR)), [] if env.is_set("APPS_DIR") else [BASE_DIR / "own"])
# One set of tools for each data set, or one for all of them
DATASET_TOOLS = env.read("DATASET_TOOLS", choice("each", "shared"), "each")

INSTALLED_APPS = [
    # Before unfold, whose form it adds a field to.
    signin.APP,
    # Before the admin, whose templates and site they replace.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "django.contrib.humanize",
    "mcpsite.core",
    "mcpsite.web",
    "mcpsite.mcp",
    "mcpsite.access",
    "mcpsite.datasets",
    "airfare",
    "transcripts",
    "mcpsite.uploads",
    "mcpsite.exchange",
    "mcpsite.history",
]
_place = INSTALLED_APPS.index("mcpsite.uploads")
INSTALLED_APPS[_place:_place] = env.derive([], own_apps.installed, APPS_DIR, INSTALLED_APPS)

if AUTHORIZATION_SERVER == conf.BUILTIN:
    INSTALLED_APPS += oauth.APPS
    OAUTH2_PROVIDER = env.derive(
        {},
        oauth.toolkit_setting,
        SITE_URL,
        access_token_seconds=OAUTH_ACCESS_TOKEN_SECONDS,
        refresh_token_seconds=OAUTH_REFRESH_TOKEN_SECONDS,
        longest=JWT_MAX_LIFETIME_SECONDS,
        algorithms=JWT_ALGORITHMS,
    )
    # Redirects over http are for loopback alone, which this check cannot know.
    SILENCED_SYSTEM_CHECKS += ["oauth2_provider.W008"]
PASSWORD_HASHERS = [*global_settings.PASSWORD_HASHERS, *oauth.HASHERS]

MIDDLEWARE = [
    "mcpsite.web.unavailable.OutageMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "mcpsite.access.signin.middleware.SignedIn",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mcpsite.web.csp.PagePolicyMiddleware",
]
CONTENT_SECURITY_POLICY = {"DIRECTIVES": csp.SITE}

ROOT_URLCONF = "mcpsite.urls"
ASGI_APPLICATION = "mcpsite.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mcpsite.web.context_processors.site",
            ],
        },
    },
]

FORM_RENDERER = "mcpsite.web.inputs.QuickInputs"

# Requests that Django answers at once in each process
PAGE_THREADS = env.read("PAGE_THREADS", whole(1, 1000), conf.page_threads(_database_url))
# Further databases, whose tables are published and never written
READ_ONLY_DATABASES = read_only_databases.from_environment(env, connections=MCP_THREADS)
DATABASES = {
    "default": env.derive({}, conf.database, _database_url, connections=MCP_THREADS + PAGE_THREADS),
    **READ_ONLY_DATABASES,
}
DATABASE_ROUTERS = ["mcpsite.core.read_only_databases.Router"] if READ_ONLY_DATABASES else []
CACHES = {"default": env.derive({}, conf.cache, env.text("CACHE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
CSRF_FAILURE_VIEW = "mcpsite.access.signin.views.csrf_failure"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
# All pages are in this one language, so that no word has to be looked up.
USE_I18N = False
USE_TZ = True

# What people call this site; the admin's look follows mcpsite/static/mcpsite/site.css
SITE_NAME = env.text("SITE_NAME", "Company data")
UNFOLD = look.unfold(SITE_NAME, debug=DEBUG)

STORAGES = {**global_settings.STORAGES, "private": UPLOAD_STORAGE}
if not DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "mcpsite.web.static_files.GatheredFiles"}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
# Found where the apps have them, too: no collectstatic step is needed between a clone and a page.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# What the processes count: /metrics answers requests with the token, and nobody if there is none.
METRICS_TOKEN = env.read("METRICS_TOKEN", long_secret, "")
# The library looks for it only in the environment, and takes an empty one for a folder.
if _metrics_folder := env.read("PROMETHEUS_MULTIPROC_DIR", folder(BASE_DIR), None):
    env.derive(None, conf.make_folder, "PROMETHEUS_MULTIPROC_DIR", _metrics_folder)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_folder)
else:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

# Where traces of calls go (OTLP over HTTP); OpenTelemetry reads its other variables itself.
OTEL_EXPORTER_OTLP_ENDPOINT = env.read("OTEL_EXPORTER_OTLP_ENDPOINT", url, "")
env.derive(
    None,
    tracing.check_setting,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    env.text("OTEL_EXPORTER_OTLP_PROTOCOL", tracing.PROTOCOL),
)

LOG_LEVEL = env.read("LOG_LEVEL", choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO")
LOG_FORMAT = env.read("LOG_FORMAT", choice("line", "json"), "line")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "one_line": {"()": "mcpsite.core.logs.OneLine"},
        "outage": {"()": "mcpsite.core.logs.Outage"},
    },
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "mcpsite.core.logs.Json"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["outage"]},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Only what goes wrong: at INFO it is one line a request, with the client's own words in it.
        "mcp": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "openai": {"level": "WARNING"},
        # Django's own handler, which exists with DEBUG, prints before the one above.
        "django.request": {"filters": ["outage"]},
        # Scanners ask for every host there is.
        "django.security.DisallowedHost": {"filters": ["one_line"]},
        # One line a try while the database is away, which the code that needed it logs too.
        "psycopg.pool": {"level": "ERROR"},
    },
}
if LOG_FORMAT == "json":
    # uvicorn and, with DEBUG, Django have handlers of their own, whose lines are not JSON.
    for _name in ("uvicorn", "uvicorn.error", "django", "django.server"):
        LOGGING["loggers"][_name] = {"handlers": [], "propagate": True}

# A token for `manage.py call_tool`, if this site issues none itself
MCP_TOKEN = env.text("MCP_TOKEN")

env.finish()
