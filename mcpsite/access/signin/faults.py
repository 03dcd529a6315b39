"""Why somebody is not signed in: what the person reads, and what the log says."""


class SignInFailed(Exception):
    """One sentence that tells the person what to do; `reason` is for the log and never contains a token."""

    status = 400
    title = "You are not signed in"

    def __init__(self, sentence: str, *, reason: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.reason = reason or sentence


class ProviderUnavailable(SignInFailed):
    """The provider cannot be reached or gives no usable answer: try again later."""

    status = 503
    title = "Sign-in is unavailable"
    retry_after = 15

    def __init__(self, reason: str) -> None:
        super().__init__(
            "Your company's sign-in does not answer correctly. Try again in a moment; if that does not "
            "help, tell whoever runs it.",
            reason=reason,
        )


class NotAllowed(SignInFailed):
    """The provider or this site refuses this person."""

    status = 403
    title = "You may not sign in here"


class SessionEnded(SignInFailed):
    """The provider did not renew the session without asking the person, who has to sign in again."""
