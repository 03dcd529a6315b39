from django.contrib.auth.hashers import PBKDF2PasswordHasher


class ClientSecretHasher(PBKDF2PasswordHasher):
    """The hasher of the secrets that we make for clients.

    They are 128 random characters, so nobody guesses them however fast a guess is; the cost of a
    password's hash would only let strangers keep this server busy.
    """

    algorithm = "client_secret"
    iterations = 1
