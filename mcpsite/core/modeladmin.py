"""unfold's admin classes and Django's forms of models, parametrized with their model.

Django's stubs take the model as a parameter, as in `ModelAdmin[Book]`; the classes themselves do not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ModelAdmin
    from django.contrib.admin import TabularInline as TabularInline
    from django.forms import ModelForm as ModelForm
else:
    from django import forms
    from unfold import admin

    class _Parametrized:
        def __class_getitem__(cls, _model: Any) -> type:
            return cls

    class ModelAdmin(_Parametrized, admin.ModelAdmin):
        pass

    class TabularInline(_Parametrized, admin.TabularInline):
        pass

    class ModelForm(_Parametrized, forms.ModelForm):
        pass
