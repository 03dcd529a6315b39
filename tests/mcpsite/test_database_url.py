"""DATABASE_URL: what it means to Django, and what is refused, with no password in the message."""

from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql.base import DatabaseWrapper

from mcpsite.core import conf, postgresql


def config(url: str) -> dict[str, Any]:
    """The meaning of `url`, without the pool that every PostgreSQL has."""
    read = conf.database(url)
    read["OPTIONS"].pop("pool", None)
    return read


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p@db.example:5433/site", ("u", "p", "db.example", "5433", "site")),
        ("postgresql://u:p@db.example/site", ("u", "p", "db.example", "", "site")),
        ("POSTGRES://u@db/site", ("u", "", "db", "", "site")),
        (
            "postgres://u%40corp:a%40b%3Ac%2Fd%25%3F%23@db/s%C3%AFte",
            ("u@corp", "a@b:c/d%?#", "db", "", "sïte"),
        ),
        ("postgres://u@[2001:db8::1]:5433/site", ("u", "", "2001:db8::1", "5433", "site")),
        ("postgres://u@[::1]/site", ("u", "", "::1", "", "site")),
        ("postgres://%2Fvar%2Frun%2Fpostgresql/site", ("", "", "/var/run/postgresql", "", "site")),
        ("postgres:///site?host=/var/run/postgresql", ("", "", "/var/run/postgresql", "", "site")),
        ("postgres:///site", ("", "", "", "", "site")),
        ("postgres://u@a:5432,b:5433/site", ("u", "", "a,b", "5432,5433", "site")),
        ("  postgres://u@db/site\n", ("u", "", "db", "", "site")),
    ],
)
def test_an_address_of_postgresql_is_read_as_libpq_reads_it(url: str, expected: tuple[str, ...]) -> None:
    read = config(url)
    assert read["ENGINE"] == "django.db.backends.postgresql"
    assert tuple(read[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "NAME")) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("options=-c%20search_path%3Dfoo", {"options": "-c search_path=foo"}),
        (
            "sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
            {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"},
        ),
        ("connect_timeout=5&application_name=a+b", {"connect_timeout": "5", "application_name": "a+b"}),
        ("assume_role=site", {"assume_role": "site"}),
        ("", {}),
    ],
)
def test_options_reach_the_driver_decoded(query: str, expected: dict[str, str]) -> None:
    assert config(f"postgres://u@db/site?{query}")["OPTIONS"] == expected


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "on", "TRUE"])
def test_a_switch_of_the_url_takes_every_word_for_yes(word: str) -> None:
    read = conf.database(f"postgres://u@db/site?pool={word}&conn_health_checks={word}")
    assert "pool" in read["OPTIONS"]
    assert read["CONN_HEALTH_CHECKS"] is True


@pytest.mark.parametrize("word", ["false", "False", "0", "no", "off"])
def test_a_switch_of_the_url_takes_every_word_for_no(word: str) -> None:
    read = conf.database(f"postgres://u@db/site?pool={word}&conn_health_checks={word}")
    assert "pool" not in read["OPTIONS"]
    assert read["CONN_HEALTH_CHECKS"] is False


def test_postgresql_has_a_pool_as_large_as_the_threads_that_may_ask() -> None:
    assert conf.database("postgres://u@db/site", connections=12)["OPTIONS"]["pool"] == {
        "min_size": 0,
        "max_size": 12 + conf.OTHER_CONNECTIONS,
    }
    named = conf.database("postgres://u@db/site?pool_min_size=3&pool_max_size=4")
    assert named["OPTIONS"]["pool"] == {"min_size": 3, "max_size": 4}
    assert conf.database("postgres://u@db/site?pool_max_size=1")["OPTIONS"]["pool"]["min_size"] == 0


@pytest.mark.parametrize(("text", "age"), [("None", None), ("none", None), ("0", 0), ("600", 600)])
def test_the_age_of_connections_is_none_or_seconds(text: str, age: int | None) -> None:
    assert conf.database(f"postgres://u@db/site?conn_max_age={text}")["CONN_MAX_AGE"] == age
    assert conf.database(f"sqlite:///x?conn_max_age={text}")["CONN_MAX_AGE"] == age


def test_connections_are_kept_by_the_pool_or_by_django_and_never_by_both() -> None:
    assert "pool" not in conf.database("postgres://u@db/site?conn_max_age=600")["OPTIONS"]
    both = conf.database("postgres://u@db/site?pool=True&conn_max_age=None")
    assert both["CONN_MAX_AGE"] == 0
    assert "pool" in both["OPTIONS"]
    assert conf.database("postgres://u@db/site?pool=0")["CONN_MAX_AGE"] == 0


def test_a_pooler_before_postgresql_can_be_told_of() -> None:
    read = conf.database("postgres://u@db/site?disable_server_side_cursors=1")
    assert read["DISABLE_SERVER_SIDE_CURSORS"] is True


@pytest.mark.parametrize(("option", "threshold"), [("", 1), ("?disable_server_side_cursors=1", None)])
def test_statements_are_prepared_unless_a_pooler_shares_connections(
    option: str, threshold: int | None
) -> None:
    read = conf.database(f"postgres://u@db/site{option}")
    postgresql.complete(read)
    assert read["OPTIONS"]["prepare_threshold"] == threshold


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////srv/site/db.sqlite3", "/srv/site/db.sqlite3"),
        ("sqlite:///var/db.sqlite3", "var/db.sqlite3"),
        ("sqlite:////srv/my%20site/db.sqlite3?timeout=5", "/srv/my site/db.sqlite3"),
        ("sqlite://", ":memory:"),
        ("sqlite://:memory:", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_a_file_of_sqlite_is_named_by_its_path(url: str, name: str) -> None:
    read = conf.database(url)
    assert (read["ENGINE"], read["NAME"]) == ("django.db.backends.sqlite3", name)
    assert read["OPTIONS"]["timeout"] == (5 if "timeout" in url else 30)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("foo", "'foo'.* has to be like postgres://"),
        ("localhost:5432/site", "has to be like postgres://"),
        ("mysql://u:hunter2@db/site", r"'mysql://\*\*\*@db/site'.* has to be like postgres://"),
        ("host=db user=u password=hunter2", "has to be like postgres://"),
        ("postgres//u:hunter2@db/site", "has to be like postgres://"),
        ("postgres://u:hunter2@db", r"'postgres://\*\*\*@db'; it does not name a database"),
        ("postgres://u:hunter2/site", "port has to be a number"),
        ("postgres://u:hunter2@db:5432x/site", "port has to be a number"),
        ("postgres://u@db:99999/site", "port has to be a number"),
        ("postgres://u:hunter2%@db/site", "percent-encoded"),
        ("postgres://u:hun@ter2@db/site", "percent-encoded"),
        ("postgres://u:hun/ter2@db/site", "percent-encoded"),
        ("postgres://u:1/hunter2@db/site", "percent-encoded"),
        ("postgres://u:hun?ter2@db/site", "percent-encoded"),
        ("postgres://u@db/site?hun?ter2@db", "percent-encoded"),
        ("postgres://u:hunter 2@db/site", "percent-encoded"),
        ("postgres://u:hunter2@db/site?sslmod=require", "option 'sslmod' .did you mean sslmode"),
        ("postgres://u@db/site?conn_max_ag=1", "did you mean conn_max_age"),
        ("postgres://u@db/site?pool=perhaps", "option pool has to be 1 or 0"),
        ("postgres://u@db/site?conn_health_checks=yep", "option conn_health_checks has to be 1 or 0"),
        ("postgres://u@db/site?conn_max_age=-1", "option conn_max_age has to be a whole number .* or None"),
        ("postgres://u@db/site?conn_max_age=1e3", "option conn_max_age has to be a whole number"),
        ("postgres://u@db/site?pool_max_size=0", "option pool_max_size has to be a whole number from 1"),
        ("postgres://u@db/site?pool_max_size=4&pool_min_size=5", "pool_min_size=5"),
        ("postgres://u@db/site?connect_timeout=abc", "option connect_timeout has to be a number"),
        ("sqlite://db.sqlite3", "sqlite:///"),
        ("sqlite:///db.sqlite3?pool=true", "options can be conn_max_age"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_sentence_without_its_password(url: str, remedy: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^DATABASE_URL .*{remedy}") as refusal:
        conf.database(url)
    message = str(refusal.value)
    assert "hun" not in message
    assert "ter2" not in message
    assert "\n" not in message


def test_what_was_read_is_what_the_driver_connects_with() -> None:
    url = "postgres://u:a%40b@db:5433/site?options=-c%20search_path%3Dfoo&sslmode=require&pool=1"
    wrapper = DatabaseWrapper({**conf.database(url), "TIME_ZONE": None}, "default")
    given = {
        name: value
        for name, value in wrapper.get_connection_params().items()
        if name not in ("context", "cursor_factory", "prepare_threshold", "client_encoding")
    }
    expected = psycopg.conninfo.conninfo_to_dict(url.removesuffix("&pool=1"))
    assert {name: str(value) for name, value in given.items()} == expected
