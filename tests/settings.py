"""The site's settings with what tests need different."""

import os

from marketplace.settings import *  # noqa: F403
from marketplace.settings import DATABASES, REDIS_URL

# Each worker has a database of its own (pytest-django) and a Redis database of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
REDIS_URL = REDIS_URL.replace("db=0", f"db={_WORKER}")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
DATABASES["default"]["OPTIONS"].pop("pool")  # a test's transaction is its thread's connection
DB_THREADS = 4
