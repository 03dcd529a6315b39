"""The history of who may do what here; its changes are undone by hand, on the person's page."""

from django.contrib.auth.models import Group, User

from mcpsite.access.models import Identity
from mcpsite.history import kinds

kinds.register_kind(
    kinds.Kind(
        model=User,
        fields=(
            "username",
            "first_name",
            "last_name",
            "email",
            "is_active",
            "is_staff",
            "is_superuser",
            "groups",
            "user_permissions",
        ),
    )
)
kinds.register_kind(kinds.Kind(model=Group, fields=("name", "permissions")))
kinds.register_kind(kinds.Kind(model=Identity, fields=("issuer", "subject", "user")))
