"""Publishing a table: what becomes of a declaration, and what is refused or told by a system check."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.functions import Lower

from mcpsite.datasets import checks, publishing
from mcpsite.datasets.publishing import PublishedColumn, publish
from mcpsite.mcp.registry import Registry, Tool
from mcpsite.mcp.writing import _TOKEN
from tests.datasets.company.models import Customer, Sale

COLUMNS: list[str | PublishedColumn] = [
    "sold_on",
    "booked_at",
    "region",
    "channel",
    PublishedColumn("usd", unit="USD", meaning="net amount"),
    "units",
    "weight",
    "is_gift",
    "note",
    "id",
]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """No tool, and no table that is published."""
    tables: dict[str, Any] = {}
    monkeypatch.setattr(publishing, "tables", tables)
    monkeypatch.setattr(checks, "tables", tables)
    return Registry()


@pytest.fixture
def offer(registry: Registry) -> Callable[..., None]:
    """Publishes sales, with what is changed."""

    def offer(model: type[models.Model] = Sale, **changed: Any) -> None:
        asked: dict[str, Any] = {"name": "sales", "columns": COLUMNS, "ordering": ["-sold_on"]}
        publish(model, **asked | changed, registry=registry)

    return offer


def found(registry: Registry, name: str) -> Tool:
    tool = registry.get(name)
    assert tool is not None
    return tool


def test_a_table_becomes_two_tools_with_its_permission(
    offer: Callable[..., None], registry: Registry
) -> None:
    offer()
    assert [(tool.name, tool.title, tool.permission) for tool in registry.all()] == [
        ("sales", "Sales", "company.view_sale"),
        ("sales_summary", "Sales: figures", "company.view_sale"),
    ]
    assert found(registry, "sales").description.startswith(
        "Lines of invoices since 2024, one row each. Rows,"
    )


def test_columns_are_of_the_kind_of_their_fields(offer: Callable[..., None], registry: Registry) -> None:
    offer()
    assert {column.name: column.kind for column in publishing.tables["sales"].columns} == {
        "sold_on": "day",
        "booked_at": "day",
        "region": "category",
        "channel": "category",
        "usd": "number",
        "units": "number",
        "weight": "number",
        "is_gift": "text",
        "note": "prose",
        "id": "text",
    }


def test_the_models_own_words_are_what_columns_mean(offer: Callable[..., None], registry: Registry) -> None:
    offer()
    described = found(registry, "sales").input_schema["properties"]
    assert described["sold_on"]["description"].startswith("day of the invoice: ")
    assert described["note_contains"]["description"].startswith("Part of what the seller remarks;")
    assert described["usd_min"]["description"] == "net amount in USD, at least."


def test_how_letters_are_compared_is_said_beside_each_filter(
    offer: Callable[..., None], registry: Registry
) -> None:
    offer()
    described = found(registry, "sales").input_schema["properties"]
    for name in ("region_contains", "channel_contains", "note_contains"):
        assert described[name]["description"].endswith("letter case as the database compares it.")


def test_a_usual_table_costs_at_most_1500_tokens(offer: Callable[..., None], registry: Registry) -> None:
    offer()
    for tool in registry.all():
        text = f"{tool.description} {tool.input_schema} {tool.output_schema}"
        assert len(_TOKEN.findall(text)) <= 1500


@pytest.mark.parametrize("readers", [False, True])
def test_readers_are_given_nothing_unless_it_is_said(
    offer: Callable[..., None], registry: Registry, readers: bool
) -> None:
    offer(readers=readers)
    assert {tool.for_readers for tool in registry.all()} == {readers}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"columns": ["regoin"]}, r"Sale has no column 'regoin' \(did you mean 'region'\?\)\. Use fields of"),
    ({"columns": ["pk"]}, r"Sale has no column 'pk'"),
    (
        {"columns": ["customer"]},
        r"cannot publish 'customer', because it is a relation, .* Publish a database view",
    ),
    ({"columns": ["customer_id"]}, r"cannot publish 'customer_id', because it is a relation"),
    ({"columns": ["customer__name"]}, r"cannot publish 'customer__name', because it is a relation"),
    ({"columns": ["sold_on__year"]}, r"Sale has no column 'sold_on__year'"),
    ({"columns": ["details"]}, r"Sale.details is a JSONField, which cannot be published. Leave it out"),
    ({"columns": [PublishedColumn("note", "day")]}, r"a TextField, .* as 'day'. It can be category or prose"),
    ({"columns": [PublishedColumn("note", "fact")]}, r"cannot be published as 'fact'"),  # type: ignore[arg-type]
    ({"columns": ["region", "region"]}, r"publishes 'region' twice"),
    ({"columns": []}, r"publishes no columns"),
    ({"ordering": []}, r"published without an order. Let ordering name some of sold_on, "),
    ({"ordering": ["-margin"]}, r"ordered by '-margin', which is not published. Let ordering name some of"),
    ({"using": "warehouse"}, r"There is no database 'warehouse'. Set DATABASE_URL_WAREHOUSE"),
    ({"name": "our sales"}, r"A tool cannot be called 'our sales'"),
]


@pytest.mark.parametrize(("changed", "remedy"), REFUSED)
def test_a_declaration_that_cannot_be_is_refused_with_the_remedy(
    offer: Callable[..., None], changed: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=remedy):
        offer(**changed)


class Tally(models.Model):
    """Columns that are called like parts of an answer."""

    objects: ClassVar[models.Manager["Tally"]] = models.Manager()
    rows = models.CharField(max_length=9, db_index=True)
    usd = models.FloatField()
    usd_mean = models.CharField(max_length=9)
    units = models.IntegerField()
    units_min = models.DateField()

    class Meta:
        app_label = "company"
        managed = False

    def __str__(self) -> str:
        return self.rows


@pytest.mark.parametrize(
    ("columns", "remedy"),
    [
        (["rows"], "publishes 'rows', which is also the name of a figure of each group"),
        (["usd", "usd_mean"], "publishes 'usd_mean', which is also the name of a figure of each group"),
    ],
)
def test_a_column_called_like_a_part_of_an_answer_is_refused(
    offer: Callable[..., None], columns: list[str], remedy: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=remedy):
        offer(Tally, columns=columns, ordering=columns[:1])


def test_a_database_on_which_nothing_can_be_cancelled_is_refused(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Oracle:
        vendor = "oracle"

    monkeypatch.setattr(publishing, "connections", {"legacy": Oracle()})
    with pytest.raises(ImproperlyConfigured, match=r"statements cannot be cancelled\. Publish a copy"):
        offer(using="legacy")


# System checks


def checked(monkeypatch: pytest.MonkeyPatch, publish_all: Callable[[], None]) -> list[tuple[str, str, str]]:
    """What `manage.py check` says where an app publishes so: id, sentence and remedy."""

    def modules(name: str) -> list[str]:
        assert name == "published"
        publish_all()
        return ["company.published"]

    monkeypatch.setattr(checks, "modules", modules)
    monkeypatch.setattr(checks, "discover", lambda: None)
    return [(str(each.id), each.msg, str(each.hint)) for each in checks.check_published()]


def test_what_can_be_published_passes_the_checks(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(monkeypatch, offer) == []


def test_a_site_that_publishes_nothing_passes_the_checks() -> None:
    assert checks.check_published() == []


def test_a_column_that_there_is_not_is_an_error(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    [(code, sentence, remedy)] = checked(monkeypatch, lambda: offer(columns=["regoin"]))
    assert code == "datasets.E101"
    assert sentence == "Sale has no column 'regoin' (did you mean 'region'?)."
    assert remedy.startswith("Use fields of the model: id, sold_on, ")


def test_an_order_by_what_is_not_published_is_an_error(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    [(code, sentence, remedy)] = checked(monkeypatch, lambda: offer(ordering=["margin"]))
    assert code == "datasets.E102"
    assert sentence == "Sale is ordered by 'margin', which is not published."
    assert remedy.startswith("Let ordering name some of sold_on, booked_at, ")


@pytest.mark.parametrize("second", ["sales", "sales_summary"])
def test_a_name_that_is_taken_is_an_error(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    def both() -> None:
        offer()
        offer(name=second)

    [(code, sentence, remedy)] = checked(monkeypatch, both)
    assert code == "datasets.E103"
    assert sentence == f"Two tools are called {second!r}; rename one of them."
    assert remedy == "Give publish() another name: it makes the tools NAME and NAME_summary."


@pytest.mark.parametrize("ordering", ["region", "-booked_at", "channel"])
def test_an_order_that_no_index_serves_is_a_warning(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch, ordering: str
) -> None:
    [(code, sentence, remedy)] = checked(monkeypatch, lambda: offer(ordering=[ordering, "sold_on"]))
    assert code == "datasets.W101"
    assert sentence.startswith(f"sales is ordered by {ordering!r}, but no index of Sale begins with it")
    assert f"indexes = [models.Index(fields=[{ordering!r}], name=…)]" in remedy


class Indexed(models.Model):
    """Fields with which indexes begin, and others."""

    objects: ClassVar[models.Manager["Indexed"]] = models.Manager()
    own = models.CharField(max_length=9, db_index=True)
    unique = models.CharField(max_length=9, unique=True)
    first = models.CharField(max_length=9)
    second = models.CharField(max_length=9)
    expressed = models.CharField(max_length=9)
    constrained = models.CharField(max_length=9)
    together = models.CharField(max_length=9)
    partly = models.CharField(max_length=9)
    lowered = models.CharField(max_length=9)

    class Meta:
        app_label = "company"
        managed = False
        unique_together = [("together", "second")]
        indexes = [
            models.Index(fields=["-first", "second"], name="i_first"),
            models.Index(models.F("expressed").desc(), name="i_expressed"),
            models.Index(Lower("lowered"), name="i_lowered"),
            models.Index(fields=["partly"], name="i_partly", condition=models.Q(second="x")),
        ]
        constraints = [models.UniqueConstraint(fields=["constrained", "second"], name="u_constrained")]

    def __str__(self) -> str:
        return self.own


@pytest.mark.parametrize("name", ["id", "own", "unique", "first", "expressed", "constrained", "together"])
def test_an_index_of_any_form_serves(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert checked(monkeypatch, lambda: offer(Indexed, columns=[name], ordering=[name])) == []


class Composed(models.Model):
    """A key of two columns."""

    objects: ClassVar[models.Manager["Composed"]] = models.Manager()
    pk = models.CompositePrimaryKey("first", "second")
    first = models.CharField(max_length=9)
    second = models.CharField(max_length=9)

    class Meta:
        app_label = "company"
        managed = False

    def __str__(self) -> str:
        return self.first


@pytest.mark.parametrize(("name", "codes"), [("first", []), ("second", ["datasets.W101"])])
def test_the_first_column_of_a_key_of_two_has_an_index(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str, codes: list[str]
) -> None:
    found = checked(monkeypatch, lambda: offer(Composed, columns=["first", "second"], ordering=[name]))
    assert [code for code, _, _ in found] == codes


@pytest.mark.parametrize("name", ["second", "partly", "lowered"])
def test_an_index_that_begins_otherwise_or_has_a_part_of_the_rows_does_not_serve(
    offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    [(code, _, _)] = checked(monkeypatch, lambda: offer(Indexed, columns=[name], ordering=[name]))
    assert code == "datasets.W101"


def test_a_model_without_words_of_its_own_is_described_by_its_title(
    offer: Callable[..., None], registry: Registry
) -> None:
    bare = type(
        "Bare",
        (models.Model,),
        {
            "__module__": __name__,
            "day": models.DateField(db_index=True),
            "Meta": type("Meta", (), {"app_label": "company", "managed": False}),
        },
    )
    offer(bare, columns=["day"], ordering=["day"], title="Days off")
    assert found(registry, "sales").description.startswith("Days off. Rows, ordered by day.")
    assert Customer.__doc__ == "Who buys."
