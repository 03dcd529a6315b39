"""What holds for every data set: one suite over fares and hotel rates."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from mcpsite.access.caller import Caller, Claims
from mcpsite.datasets import checking, curation, deleting, keys, loading, queries, snapshots
from mcpsite.datasets.columns import Said
from mcpsite.datasets.corrections import corrections_of
from mcpsite.datasets.declared_tools import DeclaredTools
from mcpsite.datasets.describing import describe
from mcpsite.datasets.files import find
from mcpsite.datasets.filters import Filters
from mcpsite.datasets.loading import Choices
from mcpsite.datasets.models import Edit, Load, SourceFile
from mcpsite.datasets.outcomes import Outcome
from mcpsite.datasets.prompts import values_like
from mcpsite.exchange.sheets import ImportedCSV
from mcpsite.history.models import Change
from mcpsite.mcp import ToolError
from tests.datasets.cases import CASES, FARES, HOTELS, Case

pytestmark = pytest.mark.django_db

LoadText = Callable[..., Outcome]


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def load_text(case: Case, tmp_path: Path) -> LoadText:
    """Loads a text as the file `name`."""

    def run(text: str, name: str = "a.csv", **choices: Any) -> Outcome:
        (tmp_path / name).write_text(text)
        found = find([tmp_path / name])
        [outcome] = loading.load(case.data_set, found, Choices(loaded_by="alice", **choices))
        return outcome

    return run


def caller_of(*permissions: str, groups: frozenset[int] = frozenset()) -> Caller:
    claims = Claims(
        issuer="https://issuer.example/", subject="a", client_id="", scopes=frozenset(), expires_at=0
    )
    return Caller(user_id=1, username="a", claims=claims, permissions=frozenset(permissions), groups=groups)


@pytest.fixture
def caller(case: Case) -> Caller:
    return caller_of(case.data_set.permission)


@pytest.fixture
def curator(case: Case, client: Client) -> User:
    user = User.objects.create_user("curator", is_staff=True)
    names = [name.partition(".") for name in case.permissions]
    for app, _, codename in (*names, *_of_files()):
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client.force_login(user)
    return user


def _of_files() -> list[tuple[str, str, str]]:
    return [("datasets", ".", f"{action}_sourcefile") for action in ("view", "change", "delete")]


def row_of(case: Case, value: str) -> Any:
    return case.data_set.model.objects.get(**{case.category: value})


def answered(case: Case, who: Caller | None = None) -> list[Any]:
    return [row[case.category] for row in queries.page(case.data_set, Filters(), who, limit=200).rows]


def address(case: Case, page: str, *arguments: Any) -> str:
    options = case.data_set.model._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{page}", args=arguments)


def asked(case: Case, who: Caller, **given: Any) -> dict[str, Any]:
    tools = DeclaredTools(data_set=case.data_set)
    return tools.rows(who, **{"limit": 25, "offset": 0, **given})


def fits() -> bool:
    return not list(checking.problems())


# Loads


def test_a_load_is_answered_from_latest_first(case: Case, load_text: LoadText, caller: Caller) -> None:
    assert (load_text(case.file()).result, fits()) == ("new", True)
    assert answered(case, caller) == [*reversed(case.values)]


def test_a_reload_replaces_the_rows_and_keeps_what_curators_did(case: Case, load_text: LoadText) -> None:
    load_text(case.file())
    curation.edit(row_of(case, case.values[0]), {case.number: 111}, None)
    curation.hide(case.data_set.model.objects.filter(**{case.category: case.values[1]}))
    key = row_of(case, case.values[0]).key
    changed = [row.replace(",300,", ",333,") for row in case.rows]
    assert load_text(case.file(*changed)).result == "replaced"
    assert [getattr(row_of(case, value), case.number) for value in case.values] == [111, 200, 333]
    assert (row_of(case, case.values[0]).key, answered(case)) == (key, [case.values[2], case.values[0]])
    assert fits()


def test_a_row_that_a_curator_edited_outlives_its_file(case: Case, load_text: LoadText) -> None:
    load_text(case.file())
    curation.edit(row_of(case, case.values[2]), {case.number: 1}, None)
    assert load_text(case.file(*case.rows[:2])).vanished == 1
    assert (row_of(case, case.values[2]).vanished, fits()) == (True, True)


def test_a_bad_load_is_undone(case: Case, load_text: LoadText) -> None:
    load_text(case.file())
    load_text(case.file(case.rows[0]))
    loading.undo(SourceFile.objects.get(), loaded_by="alice")
    assert (len(answered(case)), fits()) == (3, True)


def test_what_is_said_of_a_file_is_remembered_for_it(case: Case, load_text: LoadText) -> None:
    open_dates = [
        row.replace("2026-05-04", "3/4/2026").replace("2026-05-11", "5/6/2026") for row in case.rows
    ]
    text = case.file(*open_dates[:2])
    assert load_text(text).result == "rejected"
    assert load_text(text, said=Said(dates="dmy")).result == "new"
    again = load_text(text.replace(",200,", ",201,"))
    assert (again.result, SourceFile.objects.get().said) == ("replaced", {"dates": "dmy"})
    assert answered(case) == [case.values[1], case.values[0]]


def test_a_look_before_a_load_tells_what_would_change(case: Case, load_text: LoadText) -> None:
    load_text(case.file())
    curation.edit(row_of(case, case.values[0]), {case.number: 111}, None)
    changed = [case.rows[0], case.rows[1].replace(",200,", ",222,"), case.rows[2].replace("-06-01", "-06-02")]
    said = load_text(case.file(*changed), dry_run=True).sample
    expected = "compared with the 3 rows loaded before, 1 would be new, 1 changed, 1 removed and 1 unchanged"
    assert expected in said
    assert said[-1].endswith(f"{case.data_set.words_of(case.number)} 200.0 → 222.0")
    assert len(answered(case)) == 3


def test_what_was_not_read_is_on_the_page_of_the_file(
    case: Case, load_text: LoadText, curator: User, client: Client
) -> None:
    load_text(case.file(case.rows[0].replace(",100,", ",many,")))
    [load] = Load.objects.all()
    assert "cannot be read" in load.findings[0]
    page = client.get(reverse("admin:datasets_sourcefile_change", args=[load.file_id]))
    assert "many" in page.content.decode()


def test_data_of_one_set_stay_when_another_is_deleted(tmp_path: Path) -> None:
    for each in CASES:
        (tmp_path / "a.csv").write_text(each.file())
        list(loading.load(each.data_set, find([tmp_path / "a.csv"]), Choices(loaded_by="alice")))
    assert SourceFile.objects.count() == 2
    deleting.delete(HOTELS.data_set, by="alice")
    assert (answered(HOTELS), len(answered(FARES)), fits()) == ([], 3, True)


def test_the_command_loads_and_deletes(case: Case, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(case.file())
    out = io.StringIO()
    call_command("load_data", case.data_set.name, str(tmp_path / "a.csv"), stdout=out)
    assert "a.csv" in out.getvalue()
    assert len(answered(case)) == 3
    call_command("delete_data", case.data_set.name, "--yes", stdout=out)
    assert (answered(case), Edit.objects.count()) == ([], 0)


# Questions


def test_filters_narrow_rows(case: Case, load_text: LoadText, caller: Caller) -> None:
    load_text(case.file())
    first = case.values[0]
    for given, values in (
        ({f"{case.category}_contains": first[:3].upper()}, [first]),
        ({case.day: "2026-05"}, [case.values[1], first]),
        ({case.day: "2026-W19"}, [first]),
        ({f"{case.number}_min": 150, f"{case.number}_max": 250}, [case.values[1]]),
        ({case.data_set.columns[case.prose].argument or f"{case.prose}_contains": "STORM"}, [first]),  # type: ignore[union-attr]
    ):
        found = asked(case, caller, **given)
        assert [row[case.category] for row in found["rows"]] == values
        assert (found["matched_rows"], found["total_rows"]) == (len(values), 3)


def test_rows_without_a_day_are_told_where_days_are_asked_for(
    case: Case, load_text: LoadText, caller: Caller
) -> None:
    load_text(case.file(*case.rows, case.rows[0].replace("2026-05-04", "")))
    assert asked(case, caller, **{case.day: "2026-05"})["undated_rows"] == 1
    assert "undated_rows" not in asked(case, caller)


def test_a_day_that_is_none_is_refused(case: Case, caller: Caller) -> None:
    with pytest.raises(ToolError, match=rf"^{case.day} is 'soon'"):
        asked(case, caller, **{case.day: "soon"})


def test_figures_are_grouped(case: Case, load_text: LoadText, caller: Caller) -> None:
    load_text(case.file(*case.rows, case.rows[0].replace(",100,", ",300,")))
    found = DeclaredTools(data_set=case.data_set).summary(
        caller,
        group_by=[case.category],
        metrics=[f"{case.number}_{each}" for each in ("mean", "median", "sum", "count")],
        limit=50,
        offset=0,
    )
    group = next(each for each in found["groups"] if each[case.category] == case.values[0])
    figures = {name.removeprefix(f"{case.number}_"): value for name, value in group.items()}
    assert figures == {
        case.category: case.values[0],
        **{"rows": 2, "mean": 200, "median": 200, "sum": 400, "count": 2},
    }


def test_lines_are_drawn_over_time(case: Case, load_text: LoadText, caller: Caller) -> None:
    load_text(case.file())
    answer = DeclaredTools(data_set=case.data_set).chart(caller, line=case.category)
    lines = {line["name"]: line[case.number] for line in answer.value["series"]}
    assert lines == {
        case.values[0]: [100, None, None],
        case.values[1]: [None, 200, None],
        case.values[2]: [None, None, 300],
    }
    assert case.values[0] in answer.text


def test_what_a_data_set_is_is_described_to_who_may_read_it(
    case: Case, load_text: LoadText, caller: Caller
) -> None:
    load_text(case.file())
    [described] = describe(caller)["data_sets"]
    assert (described["name"], described["rows"]) == (case.data_set.name, 3)
    assert (described["first_day"], described["last_day"]) == ("2026-05-04", "2026-06-01")
    assert (described["files"], len(described["columns"])) == (["a.csv"], len(case.data_set.shown))
    assert describe(caller_of("auth.view_user"))["data_sets"] == []


def test_values_are_completed(case: Case, load_text: LoadText, caller: Caller) -> None:
    load_text(case.file())
    typed = case.values[0][:2].lower()
    assert case.values[0] in list(values_like(case.data_set, case.category, caller, typed))


# Who may read


def test_a_file_that_is_for_a_group_is_hidden_from_all_others(case: Case, load_text: LoadText) -> None:
    board = Group.objects.create(name="board")
    load_text(case.file())
    load_text(case.file(case.rows[0].replace(case.values[0], "Secret")), "b.csv", groups=[board])
    permission = case.data_set.permission
    outside, inside = caller_of(permission), caller_of(permission, groups=frozenset({board.pk}))
    assert ("Secret" in answered(case, outside), "Secret" in answered(case, inside)) == (False, True)
    told = str(describe(outside))
    assert "b.csv" not in told
    assert list(values_like(case.data_set, case.category, outside, "secret")) == []
    assert snapshots.current(case.data_set, outside).total == 3
    assert answered(case, caller_of("auth.view_user")) == []


# The admin


def test_the_list_shows_filters_and_searches(
    case: Case, load_text: LoadText, curator: User, client: Client
) -> None:
    load_text(case.file())
    for query, values in (
        ("", case.values),
        (f"?{case.category}={case.values[0]}", case.values[:1]),
        ("?q=storm", case.values[:1]),
        ("?row_day=2026-06", case.values[2:]),
    ):
        listed = client.get(address(case, "changelist") + query).context["cl"].result_list
        assert [getattr(row, case.category) for row in listed] == [*reversed(values)], query


def test_a_row_is_edited_and_its_change_undone(
    case: Case, load_text: LoadText, curator: User, client: Client
) -> None:
    load_text(case.file())
    row = row_of(case, case.values[0])
    url = address(case, "change", row.key)
    form = client.get(url).context["adminform"].form
    data = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    data = {name: "" if value is None else value for name, value in data.items() if value is not False}
    client.post(url, {**data, case.number: "150", case.prose: "Sunny"})
    row = row_of(case, case.values[0])
    assert (getattr(row, case.number), case.data_set.value_of(row, case.prose)) == (150, "Sunny")
    change = Change.objects.filter(action=Change.Action.EDIT).latest("pk")
    revert = reverse("admin:history_change_revert", args=[change.pk])
    client.post(revert, {"seen": client.get(revert).context["plan"].seen, "reason": ""})
    row = row_of(case, case.values[0])
    assert getattr(row, case.number) == 100
    assert case.data_set.value_of(row, case.prose).startswith("A storm")
    assert fits()


def test_corrections_are_imported(case: Case, load_text: LoadText, curator: User) -> None:
    load_text(case.file())
    key = keys.written(row_of(case, case.values[1]).key)
    sheet = ImportedCSV().create_dataset(f"id,{case.number},{case.prose}\n{key},222,Sunny\n".encode())
    corrections: Any = corrections_of(case.data_set)()
    digest = corrections.import_data(sheet, dry_run=True).digest
    result = corrections.import_data(sheet, user=curator, file_name="rows.csv", digest=digest)
    assert not result.has_errors()
    row = row_of(case, case.values[1])
    assert (getattr(row, case.number), case.data_set.value_of(row, case.prose)) == (222, "Sunny")
    assert fits()


def test_the_dashboard_counts_rows(case: Case, load_text: LoadText, curator: User, client: Client) -> None:
    load_text(case.file())
    page = client.get(reverse("admin:index")).content.decode()
    assert case.data_set.title in page


def test_files_are_listed_to_who_may_read_the_data_set(
    case: Case, load_text: LoadText, curator: User, client: Client
) -> None:
    load_text(case.file())
    assert "a.csv" in client.get(reverse("admin:datasets_sourcefile_changelist")).content.decode()
    curator.user_permissions.remove(
        Permission.objects.get(codename=case.data_set.permission.partition(".")[2])
    )
    assert "a.csv" not in client.get(reverse("admin:datasets_sourcefile_changelist")).content.decode()


def test_the_form_for_uploads_is_there(case: Case, curator: User, client: Client) -> None:
    page = client.get(reverse("admin:uploads_upload_new", args=[case.data_set.name]))
    assert page.status_code == 200
