"""Where the site's menus link to people, clients and calls."""

GROUPS = {
    "Access": [
        ("auth.user", "person"),
        ("auth.group", "groups"),
        ("access.identity", "badge"),
        ("oauth2_provider.application", "apps"),
        ("oauth2_provider.accesstoken", "key"),
        ("oauth2_provider.refreshtoken", "autorenew"),
    ],
    "Operation": [("access.auditevent", "receipt_long")],
}
TITLES = {"oauth2_provider.application": "Connected applications"}
