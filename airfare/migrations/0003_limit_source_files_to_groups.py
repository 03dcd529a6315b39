from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("airfare", "0002_order_and_search"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AddField(
            model_name="sourcefile",
            name="groups",
            field=models.ManyToManyField(
                blank=True,
                help_text="Who may read its rows. With none, everybody who may read fares.",
                to="auth.group",
            ),
        ),
    ]
