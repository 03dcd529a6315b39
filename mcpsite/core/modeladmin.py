"""unfold's admin classes and Django's forms of models, parametrized with their model.

Django's stubs take the model as a parameter, as in `ModelAdmin[Book]`; the classes themselves do not.
"""

from typing import TYPE_CHECKING, Any, ClassVar

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
        # unfold's templates ask for these in each row or field; a template that does not find an attribute
        # looks through all names of the object, which takes longer than the row.
        conditional_fields: ClassVar[dict[str, str]] = {}
        list_sections: ClassVar[tuple[type, ...]] = ()

    class TabularInline(_Parametrized, admin.TabularInline):
        pass

    class ModelForm(_Parametrized, forms.ModelForm):
        pass
