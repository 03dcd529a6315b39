"""Settings, read from the environment and from `.env`; env.example documents each of them.

Nothing needs to be set on a developer's machine. On a public address (RESOURCE_SERVER_URL) the
defaults turn strict: see `mcpsite.conf`.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from django.conf import global_settings

from access.oauth import conf as oauth
from access.signin import conf as signin
from mcpsite import conf, csp, look

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(os.environ.get("ENV_FILE", BASE_DIR / ".env"))

# State that is made at run time and never committed: the database, the keys.
STATE_DIR = Path(env.str("STATE_DIR", str(BASE_DIR / "var")))
STATE_DIR.mkdir(parents=True, exist_ok=True)

# The public face
PORT = env.int("PORT", 8788)
RESOURCE_SERVER_URL = conf.resource_url(env.str("RESOURCE_SERVER_URL", "") or f"http://localhost:{PORT}")
SITE_URL = conf.origin_of(RESOURCE_SERVER_URL)
PUBLIC = not conf.is_loopback(RESOURCE_SERVER_URL)
DEBUG = env.bool("DEBUG", not PUBLIC)
SECRET_KEY = conf.secret_key(env.str("SECRET_KEY", ""), STATE_DIR / "secret_key", required=not DEBUG)
ALLOWED_HOSTS = conf.allowed_hosts(RESOURCE_SERVER_URL, env.list("ALLOWED_HOSTS", default=[]))
ALLOWED_ORIGINS = conf.allowed_origins(RESOURCE_SERVER_URL, env.list("ALLOWED_ORIGINS", default=[]))
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SITE_URL.startswith("https://") else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_URL.startswith("https://")
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000 if SITE_URL.startswith("https://") else 0)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Tokens (client-contract: the resource server)
AUTH0_ISSUER = env.str("AUTH0_ISSUER", "")
JWT_AUDIENCES = env.list("JWT_AUDIENCES", default=[]) or [RESOURCE_SERVER_URL]
REQUIRED_SCOPES = env.list("REQUIRED_SCOPES", default=[])
TOOL_SCOPES = conf.assignments("TOOL_SCOPES", env.str("TOOL_SCOPES", ""))
JWT_ALGORITHMS = env.list("JWT_ALGORITHMS", default=["RS256"])
# The default is the longest that any common provider can be set to (Auth0: thirty days).
JWT_MAX_LIFETIME_SECONDS = env.int("JWT_MAX_LIFETIME_SECONDS", 30 * 24 * 3600)
JWKS_MAX_STALE_SECONDS = env.int("JWKS_MAX_STALE_SECONDS", 6 * 3600)
MIRROR_ISSUER_METADATA = env.bool("MIRROR_ISSUER_METADATA", False)
SIGNING_KEY_FILE = Path(env.str("SIGNING_KEY_FILE", str(STATE_DIR / "signing_key.pem")))
AUTHORIZATION_SERVER = conf.authorization_server(
    env.str("AUTHORIZATION_SERVER", ""), AUTH0_ISSUER, url=RESOURCE_SERVER_URL, debug=DEBUG
)

# Opaque tokens: the issuer is asked about them (RFC 7662)
INTROSPECTION_CLIENT_ID = env.str("INTROSPECTION_CLIENT_ID", "")
INTROSPECTION_CLIENT_SECRET = env.str("INTROSPECTION_CLIENT_SECRET", "")
INTROSPECTION_ENDPOINT = conf.introspection_endpoint(
    env.str("INTROSPECTION_ENDPOINT", ""),
    issuer=AUTH0_ISSUER,
    client_id=INTROSPECTION_CLIENT_ID,
    client_secret=INTROSPECTION_CLIENT_SECRET,
)
INTROSPECTION_REQUIRE_AUDIENCE = env.bool("INTROSPECTION_REQUIRE_AUDIENCE", True)

# The built-in authorization server (only there without AUTH0_ISSUER)
OAUTH_SCOPES = env.list("OAUTH_SCOPES", default=[])
OAUTH_ACCESS_TOKEN_SECONDS = env.int("OAUTH_ACCESS_TOKEN_SECONDS", 3600)
OAUTH_REFRESH_TOKEN_SECONDS = env.int("OAUTH_REFRESH_TOKEN_SECONDS", 90 * 24 * 3600)
OAUTH_REFRESH_GRACE_SECONDS = oauth.refresh_grace(env.int("OAUTH_REFRESH_GRACE_SECONDS", 90))
OAUTH_REGISTRATIONS_PER_HOUR = env.int("OAUTH_REGISTRATIONS_PER_HOUR", 30)
OAUTH_TRUSTED_CLIENT_HOSTS = env.list("OAUTH_TRUSTED_CLIENT_HOSTS", default=[])

# Identities: who a token's subject is in this site
ACCESS_AUTO_CREATE_USERS = env.bool("ACCESS_AUTO_CREATE_USERS", True)
ACCESS_DEFAULT_GROUP = env.str("ACCESS_DEFAULT_GROUP", "readers")
ACCESS_GROUPS_CLAIM = env.str("ACCESS_GROUPS_CLAIM", "")

# People: who signs in to the site's own pages, and for how long
OIDC_RP_CLIENT_ID = env.str("OIDC_RP_CLIENT_ID", "")
OIDC_RP_CLIENT_SECRET = env.str("OIDC_RP_CLIENT_SECRET", "")
OIDC_ISSUER = signin.issuer(
    env.str("OIDC_ISSUER", ""),
    client_id=OIDC_RP_CLIENT_ID,
    client_secret=OIDC_RP_CLIENT_SECRET,
    auth0_issuer=AUTH0_ISSUER,
)
OIDC_SIGN_IN_NAME = env.str("OIDC_SIGN_IN_NAME", "")
OIDC_RP_SCOPES = signin.scopes(env.str("OIDC_RP_SCOPES", "openid profile email"))
OIDC_RP_SIGN_ALGO = signin.algorithm(env.str("OIDC_RP_SIGN_ALGO", "RS256"))
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", "") or ACCESS_GROUPS_CLAIM or "groups"
OIDC_STAFF_GROUP = env.str("OIDC_STAFF_GROUP", "")
OIDC_SUPERUSER_GROUP = env.str("OIDC_SUPERUSER_GROUP", "")
OIDC_RENEW_SECONDS = signin.seconds("OIDC_RENEW_SECONDS", env.int("OIDC_RENEW_SECONDS", 900), least=1)
OIDC_GRACE_SECONDS = signin.seconds("OIDC_GRACE_SECONDS", env.int("OIDC_GRACE_SECONDS", 900), least=0)
OIDC_TIMEOUT = env.float("OIDC_TIMEOUT", 10.0)
OIDC_USE_PKCE = True
SIGN_IN_SECONDS = signin.seconds("SIGN_IN_SECONDS", env.int("SIGN_IN_SECONDS", 12 * 3600), least=60)
SESSION_COOKIE_AGE = SIGN_IN_SECONDS
PASSWORD_SIGN_IN = env.bool("PASSWORD_SIGN_IN", True)
AUTHENTICATION_BACKENDS = signin.backends(client_id=OIDC_RP_CLIENT_ID, password=PASSWORD_SIGN_IN)
SUPPORT_CONTACT = env.str("SUPPORT_CONTACT", "")

# The MCP server
MCP_THREADS = env.int("MCP_THREADS", 8)
MCP_DEADLINE_SECONDS = env.float("MCP_DEADLINE_SECONDS", 45.0)
MCP_MAX_RESULT_BYTES = env.int("MCP_MAX_RESULT_BYTES", 256 * 1024)
MCP_MAX_REQUEST_BYTES = 4 * 1024 * 1024

# Limits: rates like 120/minute, or empty for none; calls at once in each process, or 0 for any number.
# On a loopback address the only caller is the developer, so there are none unless set.
RATE_LIMIT = env.str("RATE_LIMIT", "120/minute" if PUBLIC else "")
TOOL_RATE_LIMITS = conf.assignments("TOOL_RATE_LIMITS", env.str("TOOL_RATE_LIMITS", ""))
CONCURRENT_CALLS = env.int("CONCURRENT_CALLS", 8 if PUBLIC else 0)
FAILED_AUTH_RATE_LIMIT = env.str("FAILED_AUTH_RATE_LIMIT", "30/minute" if PUBLIC else "")
# Wrong passwords, of one address and for one account
FAILED_SIGN_IN_RATE_LIMIT = env.str("FAILED_SIGN_IN_RATE_LIMIT", "20/minute")
FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = env.str("FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT", "30/hour")

# Data
TREND_DATA_DIR = env.str("TREND_DATA_DIR", "")
TRANSCRIPT_DATA_DIR = env.str("TRANSCRIPT_DATA_DIR", "")

# Files that people upload in the admin: kept here, served to nobody
UPLOAD_DIR = Path(env.str("UPLOAD_DIR", str(STATE_DIR / "uploads")))
UPLOAD_MAX_MB = env.int("UPLOAD_MAX_MB", 200)
DATA_UPLOAD_MAX_NUMBER_FILES = 1000  # the form says more kindly what is too many
UPLOAD_KEEP_DAYS = env.int("UPLOAD_KEEP_DAYS", 30)
# Whether the site starts `process_uploads` itself
UPLOAD_AUTOSTART = env.bool("UPLOAD_AUTOSTART", True)

# Where transcripts are searched: local, openai or a dotted path; empty: openai where its key and id are set
TRANSCRIPT_STORE = env.str("TRANSCRIPT_STORE", "")
TRANSCRIPT_STORE_FALLBACK = env.bool("TRANSCRIPT_STORE_FALLBACK", True)

# The vector store
OPENAI_API_KEY = env.str("OPENAI_API_KEY", "")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", "")
VECTOR_STORE_ID = env.str("VECTOR_STORE_ID", "")
OPENAI_TIMEOUT_SECONDS = env.float("OPENAI_TIMEOUT_SECONDS", 20.0)
OPENAI_CONCURRENCY = env.int("OPENAI_CONCURRENCY", 8)
# OpenAI's own limits, for an account or a vector store; raise them where the account's are higher.
OPENAI_UPLOADS_PER_MINUTE = env.int("OPENAI_UPLOADS_PER_MINUTE", 1000)
OPENAI_ATTACHES_PER_MINUTE = env.int("OPENAI_ATTACHES_PER_MINUTE", 300)
# Refuse answers that differ from OpenAI's documented form: for trying another server.
OPENAI_STRICT_ANSWERS = env.bool("OPENAI_STRICT_ANSWERS", False)

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
    "mcpsite",
    "history",
    "access",
    "airfare",
    "transcripts",
    "uploads",
    "exchange",
]

if AUTHORIZATION_SERVER == conf.BUILTIN:
    INSTALLED_APPS += oauth.APPS
    OAUTH2_PROVIDER = oauth.provider(
        SITE_URL,
        access_token_seconds=OAUTH_ACCESS_TOKEN_SECONDS,
        refresh_token_seconds=OAUTH_REFRESH_TOKEN_SECONDS,
        longest=JWT_MAX_LIFETIME_SECONDS,
        algorithms=JWT_ALGORITHMS,
    )
    # Clients open the sign-in in a window and wait for its callback page to answer through `opener`,
    # which the default policy cuts off for good.
    SECURE_CROSS_ORIGIN_OPENER_POLICY = "unsafe-none"
    # Redirects over http are for loopback alone, which this check cannot know.
    SILENCED_SYSTEM_CHECKS = ["oauth2_provider.W008"]
PASSWORD_HASHERS = [*global_settings.PASSWORD_HASHERS, *oauth.HASHERS]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "access.signin.middleware.SignedIn",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mcpsite.csp.Middleware",
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
                "mcpsite.context_processors.site",
            ],
        },
    },
]

DATABASES = {
    "default": conf.database(
        env.str("DATABASE_URL", "") or f"sqlite:///{quote(str(STATE_DIR / 'db.sqlite3'))}",
        threads=MCP_THREADS,
    )
}
CACHES = {"default": conf.cache(env.str("CACHE_URL", ""))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
CSRF_FAILURE_VIEW = "access.signin.views.csrf_failure"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

# What people call this site; the admin's look follows mcpsite/static/mcpsite/site.css
SITE_NAME = env.str("SITE_NAME", "Company data")
UNFOLD = look.unfold(SITE_NAME, debug=DEBUG)

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
# Found where the apps keep them, so that no collectstatic step stands between a clone and a page.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # One line a request at INFO, with the client's own words in it: only what goes wrong.
        "mcp": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "openai": {"level": "WARNING"},
    },
}
