"""What of a Redis URL is shown, and which are refused before anything is connected."""

from __future__ import annotations

import pytest

from openrouter_resilient import ConfigurationError
from openrouter_resilient.health.redis_link import check_url, masked_url

UNREADABLE = "an address that cannot be read"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:s3cret@127.0.0.1:1/0", "127.0.0.1:1"),
        ("redis://:s3@cret@cache.example/0", "cache.example:6379"),
        ("rediss://:s3%2Fcret@[::1]:7/0?ssl_cert_reqs=none", "::1:7"),
        ("redis://:s3cret@/0", "localhost"),
        ("unix://user:s3cret@/run/redis.sock?db=1", "/run/redis.sock"),
    ],
)
def test_where_a_redis_is_is_shown_without_user_and_password(url, shown):
    check_url(url)

    assert shown == masked_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:1234/s3cret@127.0.0.1:1/0",
        "redis://user:12#s3cret@127.0.0.1:1/0",
        "redis://user:12?s3cret@127.0.0.1:1/0",
        "redis://s3cret/x@127.0.0.1:1/0",
        "unix://:12/s3cret@/run/redis.sock",
        "redis://us/er:s3cret@127.0.0.1:1",
        "s3cret:6379",
        "redis:s3cret",
    ],
)
def test_of_a_password_that_is_not_escaped_no_part_is_shown(url):
    with pytest.raises(ConfigurationError, match="in a password / is written %2F") as caught:
        check_url(url)

    assert UNREADABLE == masked_url(url)
    assert "s3cret" not in str(caught.value)
