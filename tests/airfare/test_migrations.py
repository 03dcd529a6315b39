"""A database of an earlier checkout."""

from contextlib import closing

from tests.commands import Commands
from tests.site import ask, environment


def test_a_database_with_fares_of_before_is_refused_with_the_remedy() -> None:
    """All of its migrations were applied, and the one that made its fares had another name."""
    with environment() as env, closing(Commands(env)) as commands:
        ask(env, "UPDATE django_migrations SET name = '0001_fares' WHERE app = 'airfare'")
        done = commands.run("migrate", check=False)
        assert done.returncode == 1
        assert (
            "The database was made by an earlier version, whose fares cannot be brought over." in done.stderr
        )
        assert (
            "Make a new one (`STATE_DIR` or `DATABASE_URL`), run migrate and load the files again."
            in done.stderr
        )
        assert not ask(env, "SELECT name FROM django_migrations WHERE name = '0001_loads'")
