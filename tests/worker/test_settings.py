"""Settings are read once, checked, and wrong ones named in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.settings import SettingsError, read_settings, unknown_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_without_urls_both_services_are_embedded() -> None:
    settings = read_settings()
    assert settings.database_url is None
    assert settings.redis_url is None


def test_urls_are_read_under_their_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@h/d")
    monkeypatch.setenv("REDIS_URL", "redis://h/3")
    settings = read_settings()
    assert settings.database_url == "postgresql+asyncpg://u:p@h/d"
    assert settings.redis_url == "redis://h/3"


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert read_settings().database_url is None


@pytest.mark.parametrize(
    ("primary", "replica", "says"),
    [
        ("", "postgresql://h/d", "DATABASE_REPLICA_URL needs DATABASE_URL"),
        ("sqlite:///x.db", "sqlite:///y.db", "an SQLite database has no replica"),
        ("postgresql://h/d", "mysql://h/d", "must be the same kind of database"),
    ],
)
def test_a_replica_that_cannot_be_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, primary: str, replica: str, says: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", primary)
    monkeypatch.setenv("DATABASE_REPLICA_URL", replica)
    with pytest.raises(SettingsError, match=says):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HEADRACE_BATCH_SIZE", "many", r"HEADRACE_BATCH_SIZE: .*integer.* \(got 'many'\)"),
        ("HEADRACE_CONCURRENCY", "-1", "HEADRACE_CONCURRENCY: .*greater than or equal to 0"),
        ("HEADRACE_LEASE_SECONDS", "-3", "HEADRACE_LEASE_SECONDS"),
        ("HEADRACE_LOG_LEVEL", "loud", "HEADRACE_LOG_LEVEL"),
        ("HEADRACE_RATE_LIMIT", "often", "HEADRACE_RATE_LIMIT"),
        ("HEADRACE_CORS_ORIGINS", "https://a.example, *", "'\\*' is no origin"),
        ("HEADRACE_IMPORT_FOLDERS", "/a:b", "b is no absolute path"),
        ("HEADRACE_IMPORT_HOSTS", "*.a.example https://b.example", "'https://b.example' is no host"),
        ("HEADRACE_IMPORT_HOSTS", "s3://dumps/beer", "'s3://dumps/beer' is no host"),
        ("REDIS_URL", "http://h", "REDIS_URL: not a Redis URL"),
        ("DATABASE_URL", "oracle://h/d", "DATABASE_URL: unknown database driver"),
        ("DATABASE_URL", "sqlite://", "DATABASE_URL: an SQLite database must be a file"),
        ("DATABASE_URL", "mysql://h/d?pgbouncer=true", "DATABASE_URL: pgbouncer=true is for PostgreSQL"),
        ("DATABASE_URL", "postgresql://h/d?pgbouncer=1", "DATABASE_URL: pgbouncer= in a database URL is"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=says) as caught:
        read_settings()
    assert "\n" not in str(caught.value)


def test_lists_are_split_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_CORS_ORIGINS", "https://a.example, http://b.example:8080")
    monkeypatch.setenv("HEADRACE_IMPORT_FOLDERS", "/data/a:/data/b")
    settings = read_settings()
    assert settings.cors_origins == ("https://a.example", "http://b.example:8080")
    assert settings.import_folders == (Path("/data/a"), Path("/data/b"))


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "oracle://me:hunter2@h/d")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)


def test_the_pool_follows_the_concurrency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_CONCURRENCY", "7")
    monkeypatch.setenv("HEADRACE_BULK_CONCURRENCY", "1")
    assert read_settings().connections == 18


def test_misspelt_settings_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_BATCHSIZE", "5")
    assert "HEADRACE_BATCHSIZE" in unknown_settings()


def test_a_worker_that_would_serve_no_queue_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_CONCURRENCY", "0")
    assert read_settings().slots == {"default": 0, "bulk": 2}
    monkeypatch.setenv("HEADRACE_BULK_CONCURRENCY", "0")
    with pytest.raises(SettingsError, match="HEADRACE_BULK_CONCURRENCY are both 0"):
        read_settings()
