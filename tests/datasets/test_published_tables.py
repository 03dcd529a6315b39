"""Tables of a company's own database, SQLite and PostgreSQL, as the official client sees them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from tests.datasets.erp import postgresql_erp, sqlite_erp
from tests.mcpsite.test_clients import with_client
from tests.postgresql import administrator_url
from tests.site import Site, running

DEADLINE = 1.0
HIDDEN = ("margin", "customer", "Hidden", "booked_at", "details")


@pytest.fixture(scope="module", params=[sqlite_erp, postgresql_erp])
def company(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of the company: olga runs it, alice and nora may read sales, charlie may not."""
    with request.param(tmp_path_factory.mktemp("erp")) as url:
        settings = {
            "DJANGO_SETTINGS_MODULE": "tests.datasets.company.settings",
            "DATABASE_URL_ERP": url,
            "MCP_DEADLINE_SECONDS": str(DEADLINE),
        }
        with running(settings, prepare=False) as site:
            site.shell(
                "from django.contrib.auth.models import Group, Permission, User\n"
                "from django.core.management import call_command\n"
                "call_command('migrate', verbosity=0)\n"
                "User.objects.create_superuser('olga')\n"
                "readers = Group.objects.get(name='readers')\n"
                "sellers = Group.objects.create(name='sellers')\n"
                "sellers.permissions.add(Permission.objects.get(codename='view_sale'))\n"
                "for name, group in [('alice', sellers), ('nora', sellers), ('charlie', readers)]:\n"
                "    User.objects.create_user(name).groups.add(group)"
            )
            yield site


@pytest.fixture(scope="module")
def tokens(company: Site) -> dict[str, str]:
    names = ("olga", "alice", "nora", "charlie")
    return {name: company.token(name) for name in names}


def answered(site: Site, token: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """The answer that the official client has checked by the tool's own schema."""

    async def use(client: Any) -> Any:
        await client.list_tools()
        return await client.call_tool(tool, arguments)

    result = with_client(site, token, "auto", use)
    assert not result.is_error, result.content
    answer: dict[str, Any] = result.structured_content
    return answer


def refused(site: Site, token: str, tool: str, **arguments: Any) -> str:
    result = site.call(token, tool, arguments)
    assert result["isError"] is True
    sentence: str = result["content"][0]["text"]
    return sentence


def listed(site: Site, token: str) -> list[str]:
    async def use(client: Any) -> Any:
        return [tool.name for tool in (await client.list_tools()).tools]

    names: list[str] = with_client(site, token, "auto", use)
    return names


def test_rows_are_answered_latest_first(company: Site, tokens: dict[str, str]) -> None:
    answer = answered(company, tokens["alice"], "sales", limit=2)
    assert answer == {
        "rows": [
            {"sold_on": "2025-02-03", "region": "North", "channel": "web", "usd": 20, "units": 4},
            {
                "sold_on": "2025-02-03",
                "region": "South",
                "channel": "web",
                "usd": 75.25,
                "units": 3,
                "note": "Paid in 100% cash_only",
            },
        ],
        "filters": {"limit": 2},
        "total_rows": 6,
        "matched_rows": 6,
        "rows_returned": 2,
        "truncated": "4 more rows match; narrow the filters, or go on with offset=2.",
    }


@pytest.mark.parametrize(
    ("filters", "units"),
    [
        ({"sold_on": "2025-02-03"}, [4, 3]),
        ({"sold_on": "2025-W06"}, [4, 3]),
        ({"sold_on": "2025-01"}, [2, 1]),
        ({"sold_on": "2024"}, [6]),
        ({"region_contains": "nor", "channel_contains": "WEB"}, [4, 1]),
        ({"note_contains": "100%"}, [3]),
        ({"note_contains": "_"}, [3]),
        ({"usd_min": 75.25, "usd_max": "100.5"}, [3, 1]),
        ({"units_min": 4.5}, [6, 5]),
    ],
)
def test_filters_find_rows(
    company: Site, tokens: dict[str, str], filters: dict[str, Any], units: list[int]
) -> None:
    assert [row["units"] for row in answered(company, tokens["alice"], "sales", **filters)["rows"]] == units


def test_rows_without_a_day_are_counted_where_a_day_is_asked_for(
    company: Site, tokens: dict[str, str]
) -> None:
    assert answered(company, tokens["alice"], "sales", sold_on="2025")["undated_rows"] == 1


def test_figures_are_answered_by_group(company: Site, tokens: dict[str, str]) -> None:
    answer = answered(
        company,
        tokens["alice"],
        "sales_summary",
        group_by=["region"],
        metrics=["usd_sum", "usd_median", "usd_count"],
        sold_on="2025",
    )
    assert answer["groups"] == [
        {"region": "North", "rows": 3, "usd_sum": 370.5, "usd_median": 100.5, "usd_count": 3},
        {"region": "South", "rows": 1, "usd_sum": 75.25, "usd_median": 75.25, "usd_count": 1},
    ]
    assert (answer["matched_rows"], answer["undated_rows"]) == (4, 1)


def test_the_model_may_write_one_name_where_a_list_is_meant(company: Site, tokens: dict[str, str]) -> None:
    answer = answered(company, tokens["alice"], "sales_summary", group_by="channel", metrics="units_max")
    assert [group["units_max"] for group in answer["groups"]] == [6, 4]


def test_a_hook_shows_each_person_what_is_theirs(company: Site, tokens: dict[str, str]) -> None:
    for tool in ("sales", "sales_summary"):
        assert answered(company, tokens["nora"], tool)["total_rows"] == 3
        assert answered(company, tokens["nora"], tool, region_contains="south")["matched_rows"] == 0


def test_nobody_may_read_until_the_permission_is_granted(company: Site, tokens: dict[str, str]) -> None:
    assert {"sales", "sales_summary"} <= set(listed(company, tokens["olga"]))
    assert not {"sales", "sales_summary"} & set(listed(company, tokens["charlie"]))
    answer = company.rpc(tokens["charlie"], "tools/call", {"name": "sales", "arguments": {}}).json()
    assert "Unknown tool" in answer["error"]["message"]


def test_readers_may_read_what_is_published_for_them(company: Site, tokens: dict[str, str]) -> None:
    assert "slow_sales" in listed(company, tokens["charlie"])


def test_permissions_are_made_for_tables_that_this_site_does_not_manage(company: Site) -> None:
    code = (
        "from django.contrib.auth.models import Permission\n"
        "views = Permission.objects.filter(content_type__app_label='company', codename__startswith='view')\n"
        "print(sorted(views.values_list('codename', flat=True)))"
    )
    assert company.shell(code) == "['view_customer', 'view_sale', 'view_slowsale']"


def test_hidden_columns_are_in_no_answer_and_in_no_schema(company: Site, tokens: dict[str, str]) -> None:
    texts = [company.rpc(tokens["olga"], "tools/list").text]
    texts += [str(company.call(tokens["olga"], tool)) for tool in ("sales", "sales_summary")]
    texts += [
        refused(company, tokens["olga"], "sales", margin_min=1),
        refused(company, tokens["olga"], "sales_summary", group_by=["customer"]),
        refused(company, tokens["olga"], "sales_summary", metrics=["margin_mean"]),
    ]
    asked = ("'margin_min'", "'customer'", "'margin_mean'")
    for text in texts:
        for name in asked:
            text = text.replace(name, "what was asked for")
        assert not [name for name in HIDDEN if name in text]


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        (
            "sales",
            {"sold_on": "soon"},
            "sold_on is 'soon'; write a day as 2025-10-06, a week as 2025-W41, a month as 2025-10 or ",
        ),
        ("sales", {"usd_min": "dear"}, "usd_min is 'dear'; it has to be a number."),
        ("sales", {"regions": "x"}, "sales has no argument 'regions'; it takes sold_on, region_contains, "),
        ("sales", {"limit": 500}, "limit is 500; it has to be from 1 to 200."),
        ("sales_summary", {"group_by": ["usd"]}, "group_by holds 'usd'; it takes region, channel, sold_on."),
        (
            "sales_summary",
            {"metrics": ["usd_mode"]},
            "metrics holds 'usd_mode'; write one of usd, units foll",
        ),
    ],
)
def test_what_does_not_fit_is_told_so_that_it_can_be_mended(
    company: Site, tokens: dict[str, str], tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    assert refused(company, tokens["alice"], tool, **arguments).startswith(sentence)


@pytest.mark.parametrize("tool", ["slow_sales", "slow_sales_summary"])
def test_the_deadline_ends_the_statement_on_that_database(
    company: Site, tokens: dict[str, str], tool: str
) -> None:
    began = time.monotonic()
    assert "took longer than 1 s" in refused(company, tokens["charlie"], tool)
    assert time.monotonic() - began < DEADLINE + 2
    url = company.env["DATABASE_URL_ERP"]
    if url.startswith("postgres"):
        time.sleep(0.5)
        with psycopg.connect(administrator_url()) as admin:
            running_still = admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state = 'active'",
                [urlsplit(url).path.strip("/")],
            )
            assert running_still.fetchone() == (0,)
    assert answered(company, tokens["alice"], "sales")["total_rows"] == 6


def test_a_file_of_sqlite_is_the_same_byte_for_byte_after_every_question(
    company: Site, tokens: dict[str, str]
) -> None:
    url = company.env["DATABASE_URL_ERP"]
    if not url.startswith("sqlite"):
        pytest.skip("the user of PostgreSQL may do nothing but SELECT")
    file = Path(unquote(url.removeprefix("sqlite:///")))
    before = file.read_bytes()
    for tool in ("sales", "sales_summary"):
        answered(company, tokens["alice"], tool, sold_on="2025", region_contains="n")
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_the_checks_find_nothing_to_mend(company: Site) -> None:
    assert "no issues" in company.manage("check").stdout
