"""What a server does for fares between calls: what the next one needs, and what nobody needs any more."""

from airfare import cleaning, dimensions


def warm() -> None:
    """Compute what the next callers need of a new version of the data, and delete a piece of what is due."""
    dimensions.warm()
    cleaning.go_on()
