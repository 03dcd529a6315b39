"""`doctor`: each finding is produced by the very fault that it names, on real servers."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings

from mcpsite.core.findings import Finding, stops_clients
from mcpsite.doctor.data import about_database
from mcpsite.doctor.endpoint import about_endpoint
from mcpsite.doctor.issuer import about_issuer
from mcpsite.doctor.metadata import about_metadata
from mcpsite.doctor.protocol import replay
from mcpsite.doctor.token import about_token, own_token
from mcpsite.doctor.visit import Visit
from tests.access.issuer import Provider, claims, mint, provider, public_jwk, rsa_key
from tests.access.proxy import Alter, Reply, proxy
from tests.loopback_openai import running as running_openai
from tests.site import ROOT, Site, free_port
from transcripts.doctor import about_services
from transcripts.models import Collection, Transcript, VectorStoreFile


def ids(found: "list[Finding] | Iterator[Finding]", level: str = "") -> list[str]:
    return [each.id for each in found if not level or each.level == level]


# The command, against the real server


def test_a_healthy_site_has_no_findings_that_stop_a_client(site: Site) -> None:
    done = site.manage("doctor", "--json", check=False)
    report = json.loads(done.stdout)
    assert [each for each in report["findings"] if each["level"] != "ok"] == []
    assert report["ok"] is True
    assert done.returncode == 0
    assert ids_of(report) == [
        "settings",
        "airfare",
        "transcripts",
        "issuer",
        "endpoint",
        "metadata",
        "first-request",
        "search-and-fetch",
    ]


def ids_of(report: dict[str, Any]) -> list[str]:
    return [each["id"] for each in report["findings"]]


def test_the_report_for_scripts_has_the_same_members_each_time(site: Site) -> None:
    report = json.loads(site.manage("doctor", "--json", "--token", "opaque", check=False).stdout)
    assert set(report) == {"ok", "findings"}
    assert all(set(each) == {"id", "level", "what", "change"} for each in report["findings"])


def test_a_finding_that_stops_clients_ends_with_1_and_says_what_to_change(site: Site) -> None:
    done = site.manage("doctor", "--token", "s3cret-opaque-token", check=False)
    assert done.returncode == 1
    assert "it is opaque" in done.stdout
    assert "Resource Parameter Compatibility Profile" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_a_token_can_be_given_where_nobody_else_sees_it(site: Site, token: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json", "--token", "-"],
        cwd=ROOT,
        env=site.env,
        input=f"{token}\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "token" in ids_of(json.loads(done.stdout))


def test_the_other_loopback_name_is_told_apart(site: Site) -> None:
    done = site.manage("doctor", "--json", "--url", f"http://127.0.0.1:{site.port}", check=False)
    assert "challenge-elsewhere" in ids_of(json.loads(done.stdout))
    assert done.returncode == 1


def test_an_address_that_is_none_is_a_plain_error(site: Site) -> None:
    done = site.manage("doctor", "--url", "data.example.com", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


# The endpoint and its metadata, through a proxy that gets in the way


@pytest.fixture
def look(site: Site, settings: Settings, token: str) -> Callable[..., list[Finding]]:
    """Look at the site through a proxy that alters what comes back."""
    settings.RESOURCE_SERVER_URL, settings.SITE_URL = site.url, site.origin

    def looking(alter: Alter, check: Callable[[Visit], Iterator[Finding]]) -> list[Finding]:
        with proxy(site.origin, alter) as origin, httpx2.Client(trust_env=False, timeout=60) as http:
            return list(check(Visit(url=f"{origin}/mcp", resource=site.url, http=http, token=token)))

    return looking


Look = Callable[..., list[Finding]]


def answering(status: int, **headers: str) -> Alter:
    def alter(path: str, message: dict[str, Any], reply: Reply) -> None:
        reply.status = status
        reply.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return alter


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (answering(307, Location="http://elsewhere.example/mcp/"), "endpoint-redirects"),
        (answering(421), "endpoint-refuses-host"),
        (answering(503), "endpoint-unavailable"),
        (answering(200, Content_Type="text/html"), "endpoint-not-challenged"),
        (answering(404), "endpoint-not-challenged"),
        (answering(401), "challenge-incomplete"),
        (answering(401, WWW_Authenticate='Basic realm="proxy"'), "challenge-incomplete"),
        (
            answering(401, WWW_Authenticate='Bearer resource_metadata="http://other.example/x"'),
            "challenge-elsewhere",
        ),
    ],
)
def test_what_stands_between_a_client_and_the_challenge_is_named(
    look: Look, alter: Alter, expected: str
) -> None:
    assert ids(look(alter, about_endpoint), "error") == [expected]


def test_a_redirect_of_the_trailing_slash_alone_is_seen(look: Look) -> None:
    def alter(path: str, message: dict[str, Any], reply: Reply) -> None:
        if path == "/mcp/":
            reply.status, reply.headers["location"] = 308, "/mcp"

    assert ids(look(alter, about_endpoint)) == ["endpoint-redirects"]


def test_a_server_that_is_not_there_is_unreachable(settings: Settings) -> None:
    with httpx2.Client(trust_env=False) as http:
        url = f"http://localhost:{free_port()}/mcp"
        assert ids(about_endpoint(Visit(url=url, resource=url, http=http))) == ["endpoint-unreachable"]


def changing(**members: object) -> Alter:
    def alter(path: str, message: dict[str, Any], reply: Reply) -> None:
        reply.json = {**reply.json, **members}

    return alter


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (answering(302, Location="/login"), "metadata-missing"),
        (answering(404), "metadata-missing"),
        (changing(resource="https://other.example/mcp"), "metadata-other-resource"),
        (changing(authorization_servers=["https://other.example"]), "metadata-other-issuer"),
        (changing(scopes_supported=["offline_access"]), "metadata-offline-access"),
    ],
)
def test_what_is_wrong_with_the_metadata_is_named(look: Look, alter: Alter, expected: str) -> None:
    assert ids(look(alter, about_metadata))[0] == expected


# The replay


def result(method: str, change: Callable[[dict[str, Any]], object], tool: str = "") -> Alter:
    """Change the result of a method, or of one tool's calls."""

    def alter(path: str, message: dict[str, Any], reply: Reply) -> None:
        if message.get("method") == method and message["params"].get("name", "") == tool:
            said = reply.json
            change(said["result"])
            reply.json = said

    return alter


def content(tool: str, change: Callable[[dict[str, Any]], object], *, when: str = "") -> Alter:
    """Change what a tool answers, in both of its forms."""

    def both(result: dict[str, Any]) -> None:
        change(result["structuredContent"])
        result["content"][0]["text"] = json.dumps(result["structuredContent"])

    def alter(path: str, message: dict[str, Any], reply: Reply) -> None:
        arguments = message.get("params", {}).get("arguments", {})
        if "structuredContent" in reply.json.get("result", {}) if message else False:
            wanted = message["params"].get("name") == tool
            if wanted and (not when or (arguments.get("query", "x").strip() == "") == (when == "blank")):
                result("tools/call", both, tool)(path, message, reply)

    return alter


def without(name: str) -> Callable[[dict[str, Any]], object]:
    def change(said: dict[str, Any]) -> None:
        said["tools"] = [tool for tool in said["tools"] if tool["name"] != name]

    return change


def each_tool(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda said: [tool.update(changes) for tool in said["tools"]]


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (answering(401), "first-request-refused"),
        (answering(500), "first-request-failed"),
        (
            result("server/discover", lambda said: said.update(supportedVersions=["2025-11-25"])),
            "first-request-version",
        ),
        (result("tools/list", lambda said: said.update(tools=[])), "no-tools"),
        (result("tools/list", without("search")), "search-missing"),
        (result("tools/list", without("fetch")), "fetch-missing"),
        (result("tools/list", each_tool(annotations={})), "tools-without-annotations"),
        (result("tools/list", each_tool(inputSchema={"type": "object"})), "search-out-of-contract"),
        (result("tools/call", lambda said: said.update(content=[]), "search"), "search-out-of-contract"),
        (content("search", lambda said: said.update(results=[{"id": "1"}])), "search-out-of-contract"),
        (content("search", lambda said: said.update(results=[]), when="query"), "search-finds-nothing"),
        (content("fetch", lambda said: said.pop("url")), "fetch-out-of-contract"),
        (content("fetch", lambda said: said.update(metadata={"a": 1})), "fetch-out-of-contract"),
        (result("tools/call", lambda said: said.update(isError=False), "fetch"), "fetch-out-of-contract"),
        (content("fetch", lambda said: said.update(url="https://other.example/1")), "citations-elsewhere"),
    ],
)
def test_what_a_connector_would_stumble_over_is_named(
    look: Look, alter: Alter, expected: str, db: None
) -> None:
    assert expected in ids(look(alter, replay))


def test_a_citation_that_opens_for_nobody_is_seen(look: Look, db: None) -> None:
    def alter(path: str, message: dict[str, Any], reply: Reply) -> None:
        if path.startswith("/transcripts/"):
            reply.status = 404

    assert "citations-broken" in ids(look(alter, replay))


def test_a_call_that_is_refused_says_why(look: Look, db: None) -> None:
    def alter(path: str, message: dict[str, Any], reply: Reply) -> None:
        if message.get("method") == "tools/list":
            reply.status, reply.body = 403, b'{"error_description": "Not you."}'

    [finding] = [each for each in look(alter, replay) if each.level == "error"]
    assert finding.id == "call-refused"
    assert "403 Not you." in finding.what


def test_the_words_of_a_tool_error_are_passed_on(look: Look, db: None) -> None:
    def change(said: dict[str, Any]) -> None:
        said.update(isError=True, content=[{"type": "text", "text": "Come back in 7 s."}])

    [finding] = [each for each in look(result("tools/call", change, "search"), replay) if each.change]
    assert finding.id == "call-refused"
    assert "Come back in 7 s." in finding.what


# The issuer


@pytest.fixture
def idp(settings: Settings) -> Iterator[Provider]:
    with provider() as serving:
        settings.AUTH0_ISSUER = serving.issuer
        settings.JWT_AUDIENCES = ["https://data.example.com/mcp"]
        describe(serving)
        yield serving


def describe(idp: Provider, **changes: object) -> None:
    complete: dict[str, object] = {
        "authorization_endpoint": f"{idp.origin}/authorize",
        "token_endpoint": f"{idp.origin}/token",
        "registration_endpoint": f"{idp.origin}/register",
        "code_challenge_methods_supported": ["S256"],
    }
    idp.answer("/.well-known/openid-configuration", idp.metadata(**complete | changes))


def test_a_good_issuer_is_fine(idp: Provider) -> None:
    assert ids(about_issuer()) == ["issuer"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"issuer": "https://other.example/"}, "issuer-differs"),
        ({"authorization_endpoint": None}, "issuer-incomplete"),
        ({"code_challenge_methods_supported": ["plain"]}, "issuer-without-pkce"),
        ({"code_challenge_methods_supported": None}, "issuer-without-pkce"),
        ({"registration_endpoint": None}, "issuer-without-registration"),
        ({"jwks_uri": None}, "keys-unusable"),
    ],
)
def test_what_is_wrong_with_the_issuer_is_named(
    idp: Provider, changes: dict[str, object], expected: str
) -> None:
    describe(idp, **changes)
    assert ids(about_issuer()) == [expected]


def test_client_id_documents_do_instead_of_registration(idp: Provider) -> None:
    describe(idp, registration_endpoint=None, client_id_metadata_document_supported=True)
    assert ids(about_issuer()) == ["issuer"]


def test_a_slash_at_the_end_is_another_issuer(idp: Provider, settings: Settings) -> None:
    settings.AUTH0_ISSUER = f"{idp.issuer}/"
    assert ids(about_issuer()) == ["issuer-differs"]


def test_an_issuer_that_is_down_is_unreachable(settings: Settings) -> None:
    settings.AUTH0_ISSUER = f"http://127.0.0.1:{free_port()}"
    assert ids(about_issuer()) == ["issuer-unreachable"]


def test_keys_that_cannot_be_used_are_seen(idp: Provider) -> None:
    idp.publish({"kty": "oct", "k": "c2VjcmV0"})
    assert ids(about_issuer()) == ["keys-unusable"]


def test_keys_for_another_algorithm_are_seen(idp: Provider, settings: Settings) -> None:
    settings.JWT_ALGORITHMS = ["ES256"]
    assert ids(about_issuer()) == ["keys-of-another-algorithm"]


# The token


def fresh(idp: Provider, **changes: object) -> dict[str, Any]:
    now = int(time.time())
    return claims(**{"iss": idp.issuer, "iat": now - 10, "exp": now + 600} | changes)


def test_a_good_token_is_fine(idp: Provider) -> None:
    assert ids(about_token(mint(fresh(idp)), given=True)) == ["token"]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda _: "a.b.c.d.e", "token-encrypted"),
        (lambda _: "opaque", "token-opaque"),
        (lambda idp: mint(fresh(idp, groups=["x" * 36] * 1000)), "token-too-long"),
        (lambda _: "a.b.c", "token-malformed"),
        (lambda idp: mint(fresh(idp, aud="https://other.example")), "token-audience"),
        (lambda idp: mint(fresh(idp, iss=f"{idp.issuer}/")), "token-issuer"),
        (lambda idp: mint(fresh(idp, exp=int(time.time()) - 5)), "token-expired"),
        (lambda idp: mint(fresh(idp, iat=int(time.time()) + 300)), "token-clock"),
        (lambda idp: mint(fresh(idp, exp=int(time.time()) + 10**8)), "token-lifetime"),
        (lambda idp: mint(fresh(idp, sub=None)), "token-subject"),
        (lambda idp: mint(fresh(idp), header={"kid": "another"}), "token-unknown-key"),
        (lambda idp: mint(fresh(idp), key=rsa_key("second")), "token-signature"),
        (lambda idp: mint(fresh(idp), alg="PS256"), "token-algorithm"),
        (lambda idp: mint(fresh(idp, token_use="id")), "token-kind"),
    ],
)
def test_what_is_wrong_with_this_token_is_named(
    idp: Provider, make: Callable[[Provider], str], expected: str
) -> None:
    [finding] = about_token(make(idp), given=True)
    assert (finding.id, finding.level) == (expected, "error")
    assert finding.change


def test_scopes_that_the_token_lacks_are_named(idp: Provider, settings: Settings) -> None:
    settings.REQUIRED_SCOPES = ["read", "data:read"]
    [finding] = about_token(mint(fresh(idp)), given=True)
    assert finding.id == "token-scopes"
    assert "lacks data:read" in finding.what


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"realm_access": {"roles": ["analysts"]}}, []),
        ({"realm_access": {"roles": []}}, []),
        ({"groups": ["analysts"]}, ["token-groups"]),
        ({"_claim_names": {"realm_access": "src1"}}, ["token-groups-overage"]),
    ],
)
def test_a_token_whose_groups_cannot_be_followed_is_named(
    idp: Provider, settings: Settings, said: dict[str, object], expected: list[str]
) -> None:
    settings.ACCESS_GROUPS_CLAIM = "realm_access.roles"
    found = list(about_token(mint(fresh(idp, **said)), given=True))
    assert ids(found) == [*expected, "token"]
    assert all(each.change for each in found[:-1])


def test_an_inactive_opaque_token_is_named(idp: Provider, settings: Settings) -> None:
    settings.INTROSPECTION_ENDPOINT = f"{idp.origin}/introspect"
    settings.INTROSPECTION_CLIENT_ID, settings.INTROSPECTION_CLIENT_SECRET = "site", "s3cret:&"
    assert ids(about_token("opaque", given=True)) == ["token-inactive"]


def test_without_keys_the_token_is_not_judged(idp: Provider) -> None:
    idp.answer("/keys", {}, 500)
    assert ids(about_token(mint(fresh(idp)), given=True)) == ["token-not-judged"]


def test_with_a_provider_and_no_token_signing_in_is_said_to_be_untried(idp: Provider) -> None:
    token, found = own_token()
    assert (token, ids(found)) == ("", ["token-not-given"])


def test_without_an_administrator_nobody_can_be_signed_in(db: None) -> None:
    token, found = own_token()
    assert (token, ids(found)) == ("", ["no-administrator"])


def test_rotated_keys_are_published_for_the_token(idp: Provider) -> None:
    idp.publish(public_jwk(rsa_key("second"), "second"), public_jwk(rsa_key()))
    assert ids(about_token(mint(fresh(idp)), given=True)) == ["token"]


# Database and vector store


def test_an_empty_database_is_said_to_be_empty(db: None, settings: Settings) -> None:
    Group.objects.get_or_create(name=settings.ACCESS_DEFAULT_GROUP)
    assert ids(about_database()) == ["airfare-empty", "hotel_rates-empty", "transcripts-empty"]


def test_a_default_group_that_does_not_exist_is_named(db: None, settings: Settings) -> None:
    settings.ACCESS_DEFAULT_GROUP = "nobody-made-it"
    assert "default-group-missing" in ids(about_database(), "error")


def test_a_database_without_tables_lacks_migrations(site: Site, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/empty.sqlite3"
    report = json.loads(site.manage("doctor", "--json", check=False, DATABASE_URL=url).stdout)
    assert "migrations-missing" in ids_of(report)


def test_a_database_that_is_not_there_is_named(site: Site) -> None:
    url = f"postgres://nobody@127.0.0.1:{free_port()}/none"
    report = json.loads(site.manage("doctor", "--json", check=False, DATABASE_URL=url).stdout)
    assert "database-unreachable" in ids_of(report)


@pytest.fixture
def vector_store(settings: Settings, db: None) -> Iterator[Any]:
    with running_openai() as openai:
        settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = openai.base_url, openai.key
        settings.VECTOR_STORE_ID = openai.add_store().id
        yield openai


def transcript(**record: object) -> None:
    made = Transcript.objects.create(
        slug="a", title="A", text="A", digest="0", source_file="a.txt", collection=Collection.default()
    )
    if record:
        VectorStoreFile.objects.create(transcript=made, **record)


def test_an_empty_store_agrees_with_no_transcripts(vector_store: Any) -> None:
    assert ids(about_services()) == ["vector-store"]


def test_transcripts_that_are_not_in_the_store_are_counted(vector_store: Any) -> None:
    transcript()
    assert ids(about_services()) == ["vector-store-behind"]


def test_files_that_the_store_has_lost_are_counted(vector_store: Any, settings: Settings) -> None:
    transcript(store_id=settings.VECTOR_STORE_ID, file_id="file-gone", status="completed")
    assert ids(about_services()) == ["vector-store-lost-files"]


def test_files_of_what_is_not_published_here_are_counted(vector_store: Any, settings: Settings) -> None:
    [store] = vector_store.stores.values()
    ours, theirs = (vector_store.add_file(store, f"{n}.txt", "A").id for n in range(2))
    transcript(store_id=store.id, file_id=ours, status="completed", attributes={"sha256": "0"})
    Transcript.objects.update(published=False)
    assert ids(about_services()) == ["vector-store-unpublished"]
    VectorStoreFile.objects.update(file_id=theirs, attributes={"title": "A"})
    assert ids(about_services()) == ["vector-store"]
    VectorStoreFile.objects.update(file_id=ours, attributes={"sha256": "0"})
    Transcript.objects.all().delete()
    assert ids(about_services()) == ["vector-store-unpublished"]


def test_files_without_attributes_to_filter_by_are_counted(vector_store: Any, settings: Settings) -> None:
    [store] = vector_store.stores.values()
    file = vector_store.add_file(store, "a.txt", "A").id
    transcript(store_id=store.id, file_id=file, status="completed")
    assert ids(about_services()) == ["vector-store-undescribed"]


def test_a_store_that_does_not_exist_is_named(vector_store: Any, settings: Settings) -> None:
    settings.VECTOR_STORE_ID = "vs_none"
    [finding] = about_services()
    assert (finding.id, finding.level) == ("vector-store-unreachable", "warning")
    assert "VECTOR_STORE_ID" in finding.change


def test_an_unusable_store_without_a_fallback_stops_clients(vector_store: Any, settings: Settings) -> None:
    settings.VECTOR_STORE_ID = "vs_none"
    settings.TRANSCRIPT_STORE_FALLBACK = False
    assert stops_clients(about_services())


def test_an_expired_store_is_named(vector_store: Any, settings: Settings) -> None:
    settings.VECTOR_STORE_ID = vector_store.add_store(expired=True).id
    assert ids(about_services()) == ["vector-store-expired"]
