"""Every setting of the product, read from the environment (names and meaning: `.env.example`)."""

from __future__ import annotations

from pathlib import Path

from agentops_site.console_look import UNFOLD as UNFOLD
from agentops_site.environment import (
    database_from_url,
    files_of,
    flag,
    kept_secret_key,
    number,
    redis_options,
    text,
)
from agentops_site.vendor_settings import *  # noqa: F403 - as if they stood here
from agentops_site.vendor_settings import (
    ANTHROPIC_API_KEY,
    ELEVENLABS_API_KEY,
    WHITECIRCLE_API_KEY,
)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(text("AGENTOPS_DATA", str(BASE_DIR / "var"))).resolve()
DEMO_MODE = flag("AGENTOPS_DEMO", default=False)
DEBUG = flag("AGENTOPS_DEBUG", default=False)
SECRET_KEY = kept_secret_key(DATA_DIR)
SECRET_KEY_FALLBACKS = [k for k in text("SECRET_KEY_FALLBACKS", "").split(",") if k]
ALLOWED_HOSTS = text("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in text("CSRF_TRUSTED_ORIGINS", "").split(",") if o]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # the default one would put its own admin site in the place of ours
    "unfold.contrib.filters",
    "agentops_site.admin_app.AgentOpsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "template_partials",
    "axes",
    "teams",
    "monitoring",
    "incidents",
    "shop",
    "agentops_site",
]

MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",  # above whitenoise: styles and scripts shrink to a third
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "agentops_site.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "agentops_site.middleware.api_method_refusal",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "agentops_site.middleware.person_time_zone",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "agentops_site.urls"
ASGI_APPLICATION = "agentops_site.asgi.application"

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
                "agentops_site.context.shell",
            ],
        },
    }
]

DATABASES = {"default": database_from_url(text("DATABASE_URL", ""), DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "teams.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "teams.backend.PeopleBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
SESSION_COOKIE_AGE = 60 * 60 * 12
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "agentops_site.pages.stale_form"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = flag("AGENTOPS_HTTPS", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SESSION_COOKIE_SECURE else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_USERNAME_CALLABLE = "teams.accounts.attempted_name"
AXES_LOCKOUT_CALLABLE = "teams.accounts.locked_out"
RESET_MAILS_PER_ADDRESS, RESET_MAILS_PER_SENDER = 3, 10  # an hour
EMAIL_HOST = text("EMAIL_HOST", "")
EMAIL_PORT = int(number("EMAIL_PORT", 587))
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = text("EMAIL_USER", ""), text("EMAIL_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_TLS", default=True)
EMAIL_TIMEOUT = 10
_sends = "smtp" if EMAIL_HOST else "console"  # without a server a mail is written to the log
EMAIL_BACKEND = text("EMAIL_BACKEND", f"django.core.mail.backends.{_sends}.EmailBackend")
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", "agentops@localhost")

# --- language and time: everything is stored and computed in UTC -----------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = ["agentops_site.formats"]
USE_TZ = True

# --- files --------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static", ("ninja", files_of("ninja", "static/ninja"))]
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = DATA_DIR / "media"

# --- queue, locks, push ---------------------------------------------------------------------------
REDIS_URL = text("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = redis_options()
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_RETRY_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_TASK_DEFAULT_QUEUE = "agent"
CELERY_TASK_ROUTES = {"monitoring.tasks.*": {"queue": "probes"}}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_ENABLE_UTC = True

# --- the product ----------------------------------------------------------------------------------
MONITOR_INTERVAL = number("MONITOR_INTERVAL", 5.0, least=0.5)
AUTO_FIX_THRESHOLD = number("AUTO_FIX_THRESHOLD", 0.85, least=0, most=1)
ESCALATION_THRESHOLD = number("ESCALATION_THRESHOLD", 0.50, least=0, most=1)
APPROVAL_EXPIRY_SECONDS = number("APPROVAL_EXPIRY_SECONDS", 24 * 3600.0)
WATCH_WINDOW_SECONDS = number("WATCH_WINDOW_SECONDS", 120.0)
REOPEN_WITHIN_SECONDS = number("REOPEN_WITHIN_SECONDS", 15 * 60.0)
FLAP_CHANGES = int(number("FLAP_CHANGES", 6))
FLAP_SECONDS = number("FLAP_SECONDS", 10 * 60.0)
FLAP_STEADY_SECONDS = number("FLAP_STEADY_SECONDS", 120.0)
DEPLOY_GRACE_SECONDS = number("DEPLOY_GRACE_SECONDS", 10.0)
MAX_OPEN_PER_SERVICE = int(number("MAX_OPEN_PER_SERVICE", 8))
LEASE_SECONDS = number("LEASE_SECONDS", 15.0)
VERIFY_PROBE_GAP_SECONDS = number("VERIFY_PROBE_GAP_SECONDS", 0.2)
VERIFY_TIMEOUT_SECONDS = number("VERIFY_TIMEOUT_SECONDS", 15.0)
AGENT_TASK_SOFT_LIMIT = number("AGENT_TASK_SOFT_LIMIT", 240.0)
AGENT_TASK_HARD_LIMIT = number("AGENT_TASK_HARD_LIMIT", 280.0)
RECORDER_BUFFER_SECONDS = number("RECORDER_BUFFER_SECONDS", 0.5)
RECORDER_MAX_EXCHANGES = int(number("RECORDER_MAX_EXCHANGES", 400))
RECORDER_MAX_BYTES = int(number("RECORDER_MAX_BYTES", 4_000_000))
RECORDER_MAX_AGE_SECONDS = number("RECORDER_MAX_AGE_SECONDS", 3600.0)
TRAFFIC_FAILURES = int(number("TRAFFIC_FAILURES", 3))
TRAFFIC_WINDOW_SECONDS = number("TRAFFIC_WINDOW_SECONDS", 60.0)
TRAFFIC_FAILING_SHARE = number("TRAFFIC_FAILING_SHARE", 0.5)
TRAFFIC_QUIET_SECONDS = number("TRAFFIC_QUIET_SECONDS", 1800.0)
RESOURCE_SAMPLE_SECONDS = number("RESOURCE_SAMPLE_SECONDS", 10.0)
RESOURCE_WINDOW_SECONDS = number("RESOURCE_WINDOW_SECONDS", 120.0)
RESOURCE_LOG_BYTES_PER_MINUTE = int(number("RESOURCE_LOG_BYTES_PER_MINUTE", 2_000_000))
RESOURCE_MEMORY_LIMIT_BYTES = int(number("RESOURCE_MEMORY_LIMIT_BYTES", 0))
TRIAL_MAX_DATA_BYTES = int(number("TRIAL_MAX_DATA_BYTES", 512_000_000))
TRIAL_VALID_SECONDS = number("TRIAL_VALID_SECONDS", 60.0)
MINIMAL_REVERT_SECONDS = number("MINIMAL_REVERT_SECONDS", 15.0)
MINIMAL_REVERT_COPIES = int(number("MINIMAL_REVERT_COPIES", 150))
WATCH_ERROR_SHARE = number("WATCH_ERROR_SHARE", 0.10)
WATCH_LATENCY_FACTOR = number("WATCH_LATENCY_FACTOR", 3.0)
WATCH_LATENCY_LEAST_MS = number("WATCH_LATENCY_LEAST_MS", 200.0)
WATCH_LEAST_SAMPLES = int(number("WATCH_LEAST_SAMPLES", 5))
DEBT_WINDOW_SECONDS = number("DEBT_WINDOW_SECONDS", 7 * 24 * 3600.0)

# --- telling people ---------------------------------------------------------------------------------
PUBLIC_URL = text("AGENTOPS_PUBLIC_URL", text("AGENTOPS_URL", "http://127.0.0.1:8000")).rstrip("/")
NOTIFY_SCHEMAS = text(
    "NOTIFY_SCHEMAS",
    "mailtos,slack,workflow,workflows,msteams,discord,tgram,ntfys,pagerduty,jsons,json,ntfy,mailto",
).split(",")
NOTIFY_PRIVATE_ADDRESSES = flag("NOTIFY_PRIVATE_ADDRESSES", default=False)
NOTIFY_TIMEOUT_SECONDS = number("NOTIFY_TIMEOUT_SECONDS", 4.0)
NOTIFY_BURST_SIZE = int(number("NOTIFY_BURST_SIZE", 5))
NOTIFY_BURST_SECONDS = number("NOTIFY_BURST_SECONDS", 60.0)
DELIVERY_LOG_DAYS = number("DELIVERY_LOG_DAYS", 30.0)
ACKNOWLEDGE_SECONDS = number("ACKNOWLEDGE_SECONDS", 300.0)
ACKNOWLEDGEMENT_LAPSES_SECONDS = number("ACKNOWLEDGEMENT_LAPSES_SECONDS", 1800.0)

# Adapters by dotted path: swapped here, never imported by an app (docs/architecture.md).
MONITORING_PROBER = text(
    "MONITORING_PROBER", "agentops_site.integrations.blaxel_http.RoutingProber"
)
MONITORING_RUNTIMES = {
    "local": "agentops_site.integrations.local.LocalRuntime",
    "blaxel": "agentops_site.integrations.blaxel.BlaxelRuntime",
}
MONITORING_CHANGE_TASK = "incidents.tasks.consume_health_changes"
SHOP_SERVICE_SECONDS = number("SHOP_SERVICE_SECONDS", 1.0)  # how long its row is remembered
SHOP_SERVICE = text("SHOP_SERVICE", "shop")  # the watched service behind the storefront
INCIDENTS_SANDBOXES = {
    "local": "agentops_site.integrations.local_sandbox.LocalSandbox",
    "blaxel": "agentops_site.integrations.blaxel.BlaxelSandbox",
}
INCIDENTS_DIAGNOSTICIANS = ["incidents.engine.diagnostician.BuiltInDiagnostician"]
INCIDENTS_FIX_WRITERS = ["incidents.engine.fix_writer.BuiltInFixWriter"]
INCIDENTS_REVIEWERS = ["incidents.engine.reviewer.BuiltInReviewer"]
INCIDENTS_ANNOUNCER = "agentops_site.integrations.mail.AnnouncerByAddress"

# --- vendors that are set up join in, before or beside the built-in parts ------------------------------
SUMMARISER = "agentops_site.integrations.claude.ClaudeSummariser" if ANTHROPIC_API_KEY else ""
VOICE = "agentops_site.integrations.elevenlabs.ElevenLabsVoice" if ELEVENLABS_API_KEY else ""
if ANTHROPIC_API_KEY:
    INCIDENTS_DIAGNOSTICIANS.insert(0, "agentops_site.integrations.claude.ClaudeDiagnostician")
    INCIDENTS_FIX_WRITERS.insert(0, "agentops_site.integrations.claude.ClaudeFixWriter")
if WHITECIRCLE_API_KEY:
    INCIDENTS_REVIEWERS.append("agentops_site.integrations.white_circle.WhiteCircleReviewer")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": text("LOG_LEVEL", "INFO").upper()},
}
