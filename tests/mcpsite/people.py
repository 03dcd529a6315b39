"""Alice, who may read what `readers` may; Charlie, who may read nothing; Olga, who runs the site."""

from django.contrib.auth.models import Group, Permission, User
from django.test import Client


def alice() -> User:
    user = User.objects.create_user("alice")
    group, _ = Group.objects.get_or_create(name="readers")
    group.permissions.set(Permission.objects.filter(codename__in=["view_farerow", "view_transcript"]))
    user.groups.add(group)
    return user


def charlie() -> User:
    return User.objects.create_user("charlie")


def olga() -> User:
    return User.objects.create_user("olga", is_staff=True)


def browser(user: User) -> Client:
    """A browser in which `user` is signed in."""
    client = Client()
    client.force_login(user)
    return client
