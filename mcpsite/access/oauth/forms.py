"""The form of a client in the admin: what an operator has to enter, by the rules for all clients."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from oauth2_provider.models import Application
from unfold.widgets import UnfoldBooleanWidget

from mcpsite.access.oauth import clients
from mcpsite.access.oauth.models import PkceExemption
from mcpsite.core.modeladmin import ModelForm


class ClientForm(ModelForm[Any]):
    """A client that cannot register itself; its id and its secret are made when it is saved."""

    without_pkce = forms.BooleanField(
        label="Allow without PKCE",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Only for a client that does not support PKCE: its codes are then protected by its "
        "secret alone.",
    )

    class Meta:
        model = Application
        fields = ("name", "redirect_uris", "client_type", "skip_authorization")
        labels = {"skip_authorization": "Skip the consent page"}
        help_texts = {
            "name": "The name that people see when they are asked for consent.",
            "redirect_uris": "Where people are sent after signing in, as the client's documentation "
            "says; one per line. Gemini Enterprise: "
            "https://vertexaisearch.cloud.google.com/oauth-redirect",
            "client_type": "Confidential: a service that keeps a secret, such as Gemini Enterprise or "
            "Copilot Studio. Public: a program on people’s own devices.",
            "skip_authorization": "People are not asked whether the client may act on their behalf.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"name", "redirect_uris"} & self.fields.keys():
            self.fields[name].required = True
        if "redirect_uris" in self.fields:
            self.fields["redirect_uris"].widget.attrs["rows"] = 4
        if self.instance.pk:
            self.initial["redirect_uris"] = "\n".join(self.instance.redirect_uris.split())
            self.initial["without_pkce"] = PkceExemption.objects.filter(client=self.instance).exists()

    def clean_redirect_uris(self) -> str:
        uris = dict.fromkeys(self.cleaned_data["redirect_uris"].split())
        faults = [f"{uri}: {fault}" for uri in uris if (fault := clients.redirect_fault(uri))]
        if len(uris) > clients.MAX_REDIRECT_URIS:
            faults = [f"At most {clients.MAX_REDIRECT_URIS} redirect URIs are kept of a client."]
        if faults:
            raise ValidationError(faults)
        return " ".join(uris)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("without_pkce"):
            client_type = said.get("client_type", self.instance.client_type)
            uris = said.get("redirect_uris", self.instance.redirect_uris).split()
            if (
                self.instance.registration_source != Application.RegistrationSource.MANUAL
                or client_type != Application.CLIENT_CONFIDENTIAL
                or not all(uri.lower().startswith("https:") for uri in uris)
            ):
                self.add_error(
                    "without_pkce",
                    "PKCE is only optional for a confidential client that was created by hand and has "
                    "only https redirect URIs.",
                )
        return said
