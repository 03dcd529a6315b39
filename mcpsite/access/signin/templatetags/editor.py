from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mcpsite.access.signin import stored_edits

register = template.Library()


@register.simple_tag(takes_context=True)
def editor_field(context: Any) -> SafeString:
    """Return the hidden field that names the person a form was made for."""
    return format_html(
        '<input type="hidden" name="{}" value="{}">',
        stored_edits.FIELD,
        stored_edits.editor_of(context["request"].user),
    )
