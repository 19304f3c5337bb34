"""The pages lead from consent to code and, with the secret link, out again."""

import re

import pytest

pytestmark = pytest.mark.slow


def test_consent_leads_to_instructions_and_the_test(make_study, connect, finish):
    study = make_study(instructions="Put your headphones on.")
    client = connect(study)
    consent = client.http.get("/?PROLIFIC_PID=p-17")
    assert 'name="PROLIFIC_PID" value="p-17"' in consent.text
    form = {"consent_version": "1", "PROLIFIC_PID": "p-17"}
    instructions = client.http.post("/start", data=form)
    assert "Put your headphones on." in instructions.text
    page = client.http.get("/listen").text
    client.csrf = re.search('name="csrf-token" content="([0-9a-f]+)"', page)[1]
    client.claim()
    assert len(finish(client)) == 2
    assert client.http.get("/listen", follow_redirects=False).headers["location"] == "/done"
    assert "All of your answers are stored." in client.http.get("/done").text


def test_a_consent_to_an_older_text_is_not_taken(make_study, connect):
    client = connect(make_study(consent={"version": "2"}))
    reply = client.http.post("/start", data={"consent_version": "1"}, follow_redirects=False)
    assert reply.status_code == 409
    assert "read it again" in reply.text


def test_withdrawing_asks_first(make_study, connect, finish):
    client = connect(make_study())
    client.begin("1")
    finish(client)
    assert "Erase my answers" in client.http.get(client.withdrawal_url).text
    assert "2 answers were erased" in client.http.post(client.withdrawal_url).text
    assert client.http.post("/withdraw/nobody").status_code == 404


def test_a_person_gets_a_page_where_a_script_gets_json(make_study, connect):
    client = connect(make_study(limits={"requests_per_minute": 12, "min_free_mb": 0}))
    browser = {"Accept": "text/html,*/*"}
    for path, status in (("/resume/nobody", 401), ("/nowhere", 404)):
        page = client.http.get(path, headers=browser)
        assert page.status_code == status
        assert "<h2>" in page.text
        assert client.http.get(path).headers["content-type"] == "application/json"
    while (page := client.http.get("/", headers=browser)).status_code == 200:
        pass
    assert page.status_code == 429
    assert "too many requests: wait a minute" in page.text


def test_pages_are_made_of_files_of_this_server(make_study, connect):
    client = connect(make_study())
    client.begin("1")
    pages = [client.http.get(path).text for path in ("/", "/listen", client.withdrawal_url)]
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', "".join(pages)))
    assert {"/static/style.css", "/static/listen.js"} <= files
    modules = re.findall(r'from "\./([^"]+)"', client.http.get("/static/listen.js").text)
    for path in files | {f"/static/{name}" for name in modules}:
        assert client.http.get(path).status_code == 200
